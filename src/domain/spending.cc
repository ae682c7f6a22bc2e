// spending.cc — budgets by name, and the refusal.
#include "domain/spending.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/ip_address.h"

namespace cloakroom {

std::string_view to_string(Budget budget) {
  switch (budget) {
    case Budget::kUploads:
      return "uploads";
    case Budget::kDownloads:
      return "downloads";
    case Budget::kMisses:
      break;
  }
  return "misses";
}

const Rate& RateSet::of(Budget budget) const {
  switch (budget) {
    case Budget::kUploads:
      return uploads;
    case Budget::kDownloads:
      return downloads;
    case Budget::kMisses:
      break;
  }
  return misses;
}

Spenders spenders_of(const RateRules& rules, const std::optional<std::string>& user_id, std::string_view address) {
  Spenders spenders;
  if (user_id && rules.user.any()) spenders.push_back({"u:" + *user_id, &rules.user});
  if (rules.address.any()) {
    if (const auto network = client_network(address)) spenders.push_back({"a:" + *network, &rules.address});
  }
  return spenders;
}

bool is_limited(const Spenders& spenders, Budget budget) {
  return std::any_of(spenders.begin(), spenders.end(), [&](const Spender& s) { return s.rates->of(budget).is_on(); });
}

Error too_many(Budget budget, const Rate& rate, std::chrono::microseconds wait) {
  const auto name = to_string(budget);
  const auto seconds = std::max<std::int64_t>(1, std::chrono::ceil<std::chrono::seconds>(wait).count());
  Error error = refuse(
      Errc::kTooMany, fmt::format("Too many {} at once. Try again in {} s.",
                                  budget == Budget::kMisses ? "requests for files that are not there" : name, seconds));
  error.retry_after = std::chrono::seconds(seconds);
  error.policy = fmt::format("\"{}\";q={};w={}", name, rate.count, rate.period.count());
  return error;
}

}  // namespace cloakroom

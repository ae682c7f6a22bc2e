// rate_limits.cc — the statements on rate_limits alone.
#include "db/rate_limits.h"

#include <algorithm>
#include <array>
#include <limits>

namespace cloakroom {
namespace {

// By Budget.
#define CLOAKROOM_SPEND_ONE(column) CLOAKROOM_SPEND_INTO(column, "$1", "", "$2", "$3") " RETURNING 1"
#define CLOAKROOM_SPEND_TWO(column)                                                                      \
  "WITH one AS (" CLOAKROOM_SPEND_ONE(column) ") " CLOAKROOM_SPEND_INTO(column, "$4", " FROM one", "$5", \
                                                                        "$6") " RETURNING 1"
constexpr std::array kSpendOne{Statement{"spend_upload_1", CLOAKROOM_SPEND_ONE("uploads")},
                               Statement{"spend_download_1", CLOAKROOM_SPEND_ONE("downloads")},
                               Statement{"spend_miss_1", CLOAKROOM_SPEND_ONE("misses")}};
constexpr std::array kSpendTwo{Statement{"spend_upload_2", CLOAKROOM_SPEND_TWO("uploads")},
                               Statement{"spend_download_2", CLOAKROOM_SPEND_TWO("downloads")},
                               Statement{"spend_miss_2", CLOAKROOM_SPEND_TWO("misses")}};

// The columns by Budget.
constexpr Statement kRead{"read_rate_limits", "SELECT key, " CLOAKROOM_AHEAD("uploads") ", " CLOAKROOM_AHEAD(
                                                  "downloads") ", " CLOAKROOM_AHEAD("misses") " FROM rate_limits"
                                                  " WHERE key = ANY ($1::text[])"};

// Requests lock the user's key, then the address's; this takes none that anybody waits for.
constexpr Statement kForget{"forget_rate_limits",
                            "DELETE FROM rate_limits WHERE key IN (SELECT key FROM rate_limits"
                            " WHERE greatest(uploads, downloads, misses) < now() FOR UPDATE SKIP LOCKED)"};

// Of a budget that is not limited: nothing is paid, and nothing is too far ahead.
constexpr std::int64_t kNoSlack = std::int64_t{100} * 365 * 86400 * 1000000;

std::int64_t interval_of(const Rate& rate) {
  return rate.is_on() ? rate.interval().count() : 0;
}
std::int64_t slack_of(const Rate& rate) {
  return rate.is_on() ? rate.interval().count() * (rate.burst - 1) : kNoSlack;
}

}  // namespace

void spend_params(Params& params, const Spenders& spenders, Budget budget, Misses misses, std::uint32_t times) {
  for (const Spender& spender : spenders) {
    const Rate& rate = spender.rates->of(budget);
    const std::int64_t in_advance = interval_of(rate) * (times - 1);
    params.text(spender.key).int8(interval_of(rate) + in_advance).int8(slack_of(rate) - in_advance);
    if (misses == Misses::kAsked) params.int8(slack_of(spender.rates->misses));
  }
}

std::int64_t left_of(const Spender& spender, Budget budget, std::int64_t ahead_microseconds) {
  const Rate& rate = spender.rates->of(budget);
  if (!rate.is_on()) return std::numeric_limits<std::int64_t>::max();
  const std::int64_t room = slack_of(rate) - std::max<std::int64_t>(0, ahead_microseconds);  // the past is no room
  return room < 0 ? 0 : room / interval_of(rate) + 1;
}

Status PgRateLimits::spend(const Spenders& spenders, Budget budget) {
  Params params;
  spend_params(params, spenders, budget, Misses::kNotAsked);
  const auto which = static_cast<std::size_t>(budget);
  TRY_ASSIGN(const auto set, database_.run(spenders.size() > 1 ? kSpendTwo[which] : kSpendOne[which], params));
  if (set.affected() == 0) return refusal(spenders, budget, Misses::kNotAsked);
  return Ok{};
}

Error PgRateLimits::refusal(const Spenders& spenders, Budget budget, Misses misses) {
  PgArray keys(PgArray::Element::kText, spenders.size());
  for (const Spender& spender : spenders) keys.bytes(spender.key);
  Params params;
  params.array(std::move(keys));
  const auto set = database_.run(kRead, params);
  if (!set) return set.error();
  // What asks for the longest pause. Time went on since, so it may be none at all.
  Budget longest = budget;
  const Rate* rate = &spenders.front().rates->of(budget);
  std::int64_t most = 0;
  for (const Spender& spender : spenders) {
    for (int row = 0; row < set->rows(); ++row) {
      if (set->text(row, 0) != spender.key) continue;
      for (const Budget one : {budget, Budget::kMisses}) {
        if (one != budget && misses == Misses::kNotAsked) continue;
        const Rate& limit = spender.rates->of(one);
        const std::int64_t wait = set->integer(row, 1 + static_cast<int>(one)) - slack_of(limit);
        if (!limit.is_on() || wait <= most) continue;
        most = wait;
        longest = one;
        rate = &limit;
      }
    }
  }
  return too_many(longest, *rate, std::chrono::microseconds(most));
}

Result<std::uint64_t> PgRateLimits::forget() {
  database_.begin_request();
  TRY_ASSIGN(const auto set, database_.run(kForget, Params{}));
  return set.affected();
}

}  // namespace cloakroom

// rate.cc — reads and writes rates.
#include "base/rate.h"

#include <fmt/format.h>

#include <array>
#include <optional>

#include "base/encode.h"

namespace cloakroom {
namespace {

constexpr std::uint64_t kMostCount = 1000000;

struct Unit {
  char letter;
  std::chrono::seconds period;
};
constexpr std::array kUnits{Unit{'s', std::chrono::seconds(1)}, Unit{'m', std::chrono::minutes(1)},
                            Unit{'h', std::chrono::hours(1)}, Unit{'d', std::chrono::hours(24)}};

std::optional<std::uint32_t> read_count(std::string_view digits) {
  const auto number = parse_u64(digits);
  if (!number || *number < 1 || *number > kMostCount) return std::nullopt;
  return static_cast<std::uint32_t>(*number);
}

}  // namespace

Result<Rate> parse_rate(std::string_view text) {
  if (text == "off") return Rate{};
  const Error wrong{Errc::kInvalid, fmt::format("'{}' is not a rate such as 60/m, 10/s burst 40 (s, m, h, d; counts of "
                                                "1 to {}) or off",
                                                text, kMostCount)};
  constexpr std::string_view kBurst = " burst ";
  const std::size_t more = text.find(kBurst);
  const std::string_view head = text.substr(0, more);
  if (head.size() < 3 || head[head.size() - 2] != '/') return wrong;
  const auto count = read_count(head.substr(0, head.size() - 2));
  if (!count) return wrong;
  Rate rate{.count = *count, .period = {}, .burst = *count};
  for (const Unit& unit : kUnits) {
    if (unit.letter == head.back()) rate.period = unit.period;
  }
  if (rate.period.count() == 0) return wrong;
  if (more == std::string_view::npos) return rate;
  const auto burst = read_count(text.substr(more + kBurst.size()));
  if (!burst) return wrong;
  rate.burst = *burst;
  return rate;
}

std::string to_string(const Rate& rate) {
  if (!rate.is_on()) return "off";
  char letter = 's';
  for (const Unit& unit : kUnits) {
    if (unit.period == rate.period) letter = unit.letter;
  }
  std::string out = fmt::format("{}/{}", rate.count, letter);
  if (rate.burst != rate.count) out += fmt::format(" burst {}", rate.burst);
  return out;
}

}  // namespace cloakroom

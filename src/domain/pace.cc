// pace.cc — what bytes cost, and rests until they are paid for.
#include "domain/pace.h"

#include <algorithm>
#include <thread>
#include <utility>

namespace cloakroom {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLeastPause{20};  // shorter ones are saved up
constexpr milliseconds kMostPause{500};  // a stop is noticed

}  // namespace

Pace::Pace(PaceRules rules) : rules_(std::move(rules)) {
  if (!rules_.clock) rules_.clock = [] { return std::chrono::steady_clock::now(); };
  if (!rules_.pause) rules_.pause = [](milliseconds time) { std::this_thread::sleep_for(time); };
}

Status Pace::took(std::uint64_t bytes) {
  const Error stopped{Errc::kUnavailable, "stopped"};
  if (rules_.is_stop_asked()) return stopped;
  if (rules_.bytes_per_second == 0) return Ok{};
  const auto cost = std::chrono::microseconds(
      static_cast<std::int64_t>(static_cast<double>(bytes) * 1e6 / static_cast<double>(rules_.bytes_per_second)));
  paid_until_ = std::max(paid_until_, rules_.clock()) + cost;
  while (paid_until_ - rules_.clock() > kLeastPause) {
    rules_.pause(std::min(std::chrono::ceil<milliseconds>(paid_until_ - rules_.clock()), kMostPause));
    if (rules_.is_stop_asked()) return stopped;
  }
  return Ok{};
}

}  // namespace cloakroom

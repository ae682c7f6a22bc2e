// pace.cc — who takes bytes pays with time, in one queue for all.
#include "base/pace.h"

#include <algorithm>
#include <thread>

namespace cloakroom {
namespace {

constexpr std::int64_t kLeastPause = 20'000;          // microseconds; shorter ones are saved up
constexpr std::chrono::milliseconds kMostPause{500};  // a stop is noticed

static_assert(std::atomic<std::int64_t>::is_always_lock_free);

}  // namespace

PaceTools system_pace_tools() {
  return {[] {
            return std::chrono::duration_cast<std::chrono::microseconds>(
                       std::chrono::steady_clock::now().time_since_epoch())
                .count();
          },
          [](std::chrono::milliseconds time) { std::this_thread::sleep_for(time); }};
}

Status Pace::take(std::size_t bytes, const std::function<bool()>& is_stop_asked) {
  const auto stopped = [&] { return is_stop_asked && is_stop_asked(); };
  const Error stop{Errc::kUnavailable, "stopped"};
  if (stopped()) return stop;
  if (bytes_per_second_ == 0) return Ok{};
  const auto cost =
      static_cast<std::int64_t>(static_cast<double>(bytes) * 1e6 / static_cast<double>(bytes_per_second_));
  std::int64_t before = board_.paid_until.load();
  std::int64_t mine = 0;
  do {
    mine = std::max(before, tools_.now()) + cost;
  } while (!board_.paid_until.compare_exchange_weak(before, mine));
  while (mine - tools_.now() > kLeastPause) {
    const std::chrono::milliseconds left((mine - tools_.now()) / 1000 + 1);
    tools_.pause(std::min(left, kMostPause));
    if (stopped()) return stop;
  }
  return Ok{};
}

}  // namespace cloakroom

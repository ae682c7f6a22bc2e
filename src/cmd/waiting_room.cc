// waiting_room.cc — turns, one after the other.
#include "cmd/waiting_room.h"

#include <algorithm>

#include "base/limits.h"

namespace cloakroom {

bool WaitingRoom::serve(std::unique_ptr<FcgiExchange>& exchange) {
  const auto now = Clock::now();
  const bool is_full = waiting_.size() >= limits::kWaitingRequests;
  if (serve_(*exchange, {.is_first = true, .is_last = is_full, .begun = now}) == Served::kDone) {
    exchange->finish();
    return true;
  }
  if (waiting_.empty()) next_ = now + kPause;
  waiting_.push_back({std::move(exchange), now});
  return false;
}

void WaitingRoom::look(bool is_last) {
  if (waiting_.empty() || (!is_last && Clock::now() < next_)) return;
  std::erase_if(waiting_, [&](Waiting& one) {
    const bool is_over = is_last || Clock::now() - one.begun > kLongest;
    if (serve_(*one.exchange, {.is_first = false, .is_last = is_over, .begun = one.begun}) == Served::kLater) {
      return false;
    }
    one.exchange->finish();
    return true;
  });
  next_ = Clock::now() + kPause;
}

int WaitingRoom::sleep_ms() const {
  if (waiting_.empty()) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(next_ - Clock::now());
  return static_cast<int>(std::max<std::int64_t>(left.count(), 0));
}

}  // namespace cloakroom

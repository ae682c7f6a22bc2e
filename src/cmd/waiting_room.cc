// waiting_room.cc — turns, one after the other.
#include "cmd/waiting_room.h"

#include <algorithm>
#include <thread>

#include "base/limits.h"
#include "base/log.h"
#include "http/request.h"

namespace cloakroom {

WaitingRoomTools system_waiting_room_tools() {
  return {&WaitingRoom::Clock::now, [](std::chrono::milliseconds time) { std::this_thread::sleep_for(time); }};
}

bool WaitingRoom::answers_at_once(HeldExchange& exchange, Clock::time_point begun) {
  const bool is_full = waiting_.size() >= limits::kWaitingRequests;
  if (serve_(exchange, {.is_first = true, .is_last = is_full, .begun = begun}) == Served::kLater) return false;
  exchange.finish();
  return true;
}

void WaitingRoom::keep(std::unique_ptr<HeldExchange> exchange, Clock::time_point begun) {
  if (waiting_.empty()) next_ = tools_.now() + kPause;
  waiting_.push_back({std::move(exchange), begun});
}

bool WaitingRoom::is_done(Waiting& one, bool is_last) {
  const auto waited = tools_.now() - one.begun;
  if (one.exchange->is_abandoned()) {
    log(Level::kInfo, "request.left",
        {{"req", request_id(*one.exchange)},
         {"ms", std::chrono::duration_cast<std::chrono::milliseconds>(waited).count()}});
  } else if (serve_(*one.exchange, {.is_first = false, .is_last = is_last || waited > kLongest, .begun = one.begun}) ==
             Served::kLater) {
    return false;
  }
  one.exchange->finish();
  return true;
}

// A turn may take long itself, for who gets a place makes the picture: so the time is looked at before each.
void WaitingRoom::give_turns(Clock::time_point end) {
  std::erase_if(waiting_, [&](Waiting& one) { return is_done(one, tools_.now() >= end); });
  next_ = tools_.now() + kPause;
}

void WaitingRoom::look() {
  if (!waiting_.empty() && tools_.now() >= next_) give_turns(Clock::time_point::max());
}

void WaitingRoom::close(std::chrono::milliseconds most) {
  const Clock::time_point end = tools_.now() + most;
  while (!empty()) {
    tools_.sleep(std::chrono::milliseconds(sleep_ms()));
    give_turns(end);
  }
}

int WaitingRoom::sleep_ms() const {
  if (waiting_.empty()) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(next_ - tools_.now());
  return static_cast<int>(std::max<std::int64_t>(left.count(), 0));
}

}  // namespace cloakroom

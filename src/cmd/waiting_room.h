// waiting_room.h — requests whose answer is being made by somebody else: they wait here, not in the way of others.
//
// Rule     each is served anew every kPause until it is answered; after kLongest, when the room is full, and when the
//          process shall end, the next turn is its last: the client hears 503 with Retry-After. One whose client has
//          gone gets no turn any more.
// Cost     a connection and a descriptor in reserve each; a turn is what the request costs anyway.
// Log      request.left: req, ms. It has no request.done, for nothing was answered.
// Lifetime not for two threads.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <vector>

#include "http/exchange.h"
#include "routes/app.h"

namespace cloakroom {

// Injected so that tests neither wait nor guess.
struct WaitingRoomTools {
  std::function<std::chrono::steady_clock::time_point()> now;
  std::function<void(std::chrono::milliseconds)> sleep;
};
WaitingRoomTools system_waiting_room_tools();

class WaitingRoom {
 public:
  using Clock = std::chrono::steady_clock;
  using Serve = std::function<Served(Exchange&, const Turn&)>;
  static constexpr std::chrono::milliseconds kPause{50};
  static constexpr std::chrono::seconds kLongest{20};

  explicit WaitingRoom(Serve serve, WaitingRoomTools tools = system_waiting_room_tools())
      : serve_(std::move(serve)), tools_(std::move(tools)) {}

  // Serves a request that was just accepted; true: it is answered. Else it is in here now, and the exchange with it.
  template <class Held>
  bool serve(std::unique_ptr<Held>& exchange) {
    const Clock::time_point begun = tools_.now();
    if (answers_at_once(*exchange, begun)) return true;
    keep(std::move(exchange), begun);
    return false;
  }
  // Those that wait get a turn, when it is time.
  void look();
  // The same for `most` of time, or until nobody waits any more; then all get their last turn.
  void close(std::chrono::milliseconds most);
  bool empty() const { return waiting_.empty(); }
  // As epoll_wait(2) wants it: until look() has something to do; -1 when nobody waits.
  int sleep_ms() const;

 private:
  struct Waiting {
    std::unique_ptr<HeldExchange> exchange;
    Clock::time_point begun;
  };

  bool answers_at_once(HeldExchange& exchange, Clock::time_point begun);
  void keep(std::unique_ptr<HeldExchange> exchange, Clock::time_point begun);
  void give_turns(Clock::time_point end);  // from then on each is the last
  bool is_done(Waiting& one, bool is_last);

  Serve serve_;
  WaitingRoomTools tools_;
  std::vector<Waiting> waiting_ = {};
  Clock::time_point next_{};
};

}  // namespace cloakroom

// waiting_room.h — requests whose answer is being made by somebody else: they wait here, not in the way of others.
//
// Rule     each is served anew every kPause until it is answered; after kLongest, when the room is full, and when the
//          process shall end, the next turn is its last: the client hears 503 with Retry-After.
// Cost     a connection and a descriptor in reserve each; a turn is what the request costs anyway.
// Lifetime not for two threads.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <vector>

#include "http/fcgi.h"
#include "routes/app.h"

namespace cloakroom {

class WaitingRoom {
 public:
  using Clock = std::chrono::steady_clock;
  using Serve = std::function<Served(Exchange&, const Turn&)>;
  static constexpr std::chrono::milliseconds kPause{50};
  static constexpr std::chrono::seconds kLongest{20};

  explicit WaitingRoom(Serve serve) : serve_(std::move(serve)) {}

  // Serves a request that was just accepted; true: it is answered. Else it is in here now, and the exchange with it.
  bool serve(std::unique_ptr<FcgiExchange>& exchange);
  // Those that wait get a turn, when it is time. `is_last`: whatever comes of it.
  void look(bool is_last);
  bool empty() const { return waiting_.empty(); }
  // As epoll_wait(2) wants it: until look() has something to do; -1 when nobody waits.
  int sleep_ms() const;

 private:
  struct Waiting {
    std::unique_ptr<FcgiExchange> exchange;
    Clock::time_point begun;
  };

  Serve serve_;
  std::vector<Waiting> waiting_;
  Clock::time_point next_{};
};

}  // namespace cloakroom

// bulkhead.h — keeps a server that hangs from holding every child of a worker at once.
//
// Rule     at most `most` calls at a time, counted over all processes that share the board. Who finds no room waits as
//          long as the others get on, and is refused once nothing has moved for `patience`: no byte, no call begun or
//          ended. So a busy one is queued for, and a hanging one costs nobody but those it holds already.
// Silence  some calls say nothing for minutes and are well: a store copies, a scanner thinks (silent()). They hold
//          their place like others, but while one is inside nothing follows from stillness: who waits asks the server
//          itself. When nobody else is inside, so that no place is free for long, one caller more is let in.
// Crash    the parent takes a dead child's place away (CallBoard::forget).
// Lifetime the board is borrowed and may be shared with other processes.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>

#include "base/scoreboard.h"

namespace cloakroom {

struct BulkheadTools {
  std::function<std::int64_t()> now;  // milliseconds that only grow
  std::function<void()> wait;         // a moment, until the next look for a place
};
BulkheadTools system_bulkhead_tools();

// How many of `workers` children may be inside a server: a quarter, and at least one, stays free. 1 of 1.
std::size_t most_calls_at_once(std::size_t workers);

class Bulkhead {
 public:
  // REQUIRES: 1 <= most < CallBoard::kMostCalls
  Bulkhead(CallBoard& board, std::size_t most, std::chrono::milliseconds patience, BulkheadTools tools)
      : board_(board), most_(most), patience_(patience), tools_(std::move(tools)) {}

  // Ends with the call it was taken for.
  class Place {
   public:
    Place() = default;
    Place(Bulkhead& bulkhead, std::size_t slot) : bulkhead_(&bulkhead), slot_(slot) {}
    Place(Place&& other) noexcept : bulkhead_(std::exchange(other.bulkhead_, nullptr)), slot_(other.slot_) {}
    Place& operator=(Place&&) = delete;
    ~Place() {
      if (bulkhead_ != nullptr) bulkhead_->leave(slot_);
    }
    explicit operator bool() const { return bulkhead_ != nullptr; }

   private:
    Bulkhead* bulkhead_ = nullptr;
    std::size_t slot_ = 0;
  };

  // Waits as above; empty: refused. `is_alive` asks the server itself, cheaply; only where stillness alone tells
  // nothing.
  Place enter(const std::function<bool()>& is_alive);
  Place try_enter();  // at once
  bool is_stuck();    // enter() would be refused now, as far as can be known without asking
  // Nothing has moved for `patience`.
  bool is_still() const;
  bool has_silent() const;  // somebody is inside a call that is silent by nature

  void moved();  // something moved in a call that is inside
  // From now on the call of this process is silent by nature, or no longer. Nothing when it holds no place.
  void silent(bool is_so);

 private:
  Place take(std::size_t slot);  // empty: somebody has it
  bool are_all_silent() const;
  void leave(std::size_t slot);

  CallBoard& board_;
  std::size_t most_;  // the slot after these is for the one more
  std::chrono::milliseconds patience_;
  BulkheadTools tools_;
};

}  // namespace cloakroom

// bulkhead.cc — places, taken by compare-and-set.
#include "base/bulkhead.h"

#include <unistd.h>

#include <algorithm>
#include <thread>

namespace cloakroom {

BulkheadTools system_bulkhead_tools() {
  return {&monotonic_ms, [] { std::this_thread::sleep_for(std::chrono::milliseconds(2)); }};
}

std::size_t most_calls_at_once(std::size_t workers) {
  const std::size_t free = std::max<std::size_t>(1, workers / 4);
  return std::clamp<std::size_t>(workers > free ? workers - free : 1, 1, CallBoard::kMostCalls - 1);
}

Bulkhead::Place Bulkhead::take(std::size_t slot) {
  pid_t expected = 0;
  if (board_.holders[slot].load() != 0 || !board_.holders[slot].compare_exchange_strong(expected, ::getpid())) {
    return {};
  }
  moved();
  return Place(*this, slot);
}

Bulkhead::Place Bulkhead::try_enter() {
  for (std::size_t slot = 0; slot < most_; ++slot) {
    if (Place place = take(slot)) return place;
  }
  return {};
}

Bulkhead::Place Bulkhead::enter(const std::function<bool()>& is_alive) {
  while (true) {
    if (Place place = try_enter()) return place;
    if (are_all_silent()) {
      Place one_more = take(most_);
      if (one_more && !is_alive()) return {};
      if (one_more) return one_more;
    }
    if (is_still()) {
      if (!has_silent() || !is_alive()) return {};
      moved();  // the store does: all who wait know it by this
    }
    tools_.wait();
  }
}

bool Bulkhead::is_still() const {
  return tools_.now() - board_.moved_at.load() >= patience_.count();
}

bool Bulkhead::is_stuck() {
  const auto end = board_.holders.begin() + static_cast<std::ptrdiff_t>(most_);
  const bool full = std::none_of(board_.holders.begin(), end, [](const auto& holder) { return holder.load() == 0; });
  return full && is_still() && !has_silent();
}

bool Bulkhead::has_silent() const {
  const auto end = board_.holders.begin() + static_cast<std::ptrdiff_t>(most_ + 1);
  return std::any_of(board_.holders.begin(), end, [](const auto& holder) { return holder.load() < 0; });
}

bool Bulkhead::are_all_silent() const {
  const auto end = board_.holders.begin() + static_cast<std::ptrdiff_t>(most_);
  return std::all_of(board_.holders.begin(), end, [](const auto& holder) { return holder.load() < 0; });
}

void Bulkhead::moved() {
  board_.moved_at.store(tools_.now());
}

void Bulkhead::silent(bool is_so) {
  const pid_t self = ::getpid();
  for (std::size_t slot = 0; slot <= most_; ++slot) {
    if (board_.holders[slot].load() != (is_so ? self : -self)) continue;
    moved();  // first: when a silence ends, the usual patience begins anew
    board_.holders[slot].store(is_so ? -self : self);
    return;
  }
}

void Bulkhead::leave(std::size_t slot) {
  moved();
  board_.holders[slot].store(0);
}

}  // namespace cloakroom

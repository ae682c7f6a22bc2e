// bulkhead.cc — places, taken by compare-and-set.
#include "storage/bulkhead.h"

#include <unistd.h>

#include <algorithm>
#include <thread>

namespace cloakroom {

BulkheadTools system_bulkhead_tools() {
  return {&monotonic_ms, [] { std::this_thread::sleep_for(std::chrono::milliseconds(2)); }};
}

std::size_t most_store_calls(std::size_t workers) {
  const std::size_t free = std::max<std::size_t>(1, workers / 4);
  return std::clamp<std::size_t>(workers > free ? workers - free : 1, 1, CallBoard::kMostCalls);
}

Bulkhead::Place Bulkhead::try_enter() {
  const pid_t self = ::getpid();
  for (std::size_t slot = 0; slot < most_; ++slot) {
    pid_t expected = 0;
    if (board_.holders[slot].load() != 0 || !board_.holders[slot].compare_exchange_strong(expected, self)) continue;
    moved();
    return Place(*this, slot);
  }
  return {};
}

Bulkhead::Place Bulkhead::enter() {
  while (true) {
    Place place = try_enter();
    if (place || is_still()) return place;
    tools_.wait();
  }
}

bool Bulkhead::is_still() const {
  return tools_.now() - board_.moved_at.load() >= patience_.count();
}

bool Bulkhead::is_stuck() {
  const auto end = board_.holders.begin() + static_cast<std::ptrdiff_t>(most_);
  const bool full = std::none_of(board_.holders.begin(), end, [](const auto& holder) { return holder.load() == 0; });
  return full && is_still();
}

void Bulkhead::moved() {
  board_.moved_at.store(tools_.now());
}

void Bulkhead::leave(std::size_t slot) {
  moved();
  board_.holders[slot].store(0);
}

}  // namespace cloakroom

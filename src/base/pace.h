// pace.h — so many bytes a second, for one process or for several that share the memory behind it.
//
// Rule     of all that was taken so far; time in which nothing was taken is not made good.
// Memory   PaceBoard is one atomic: a process may die in the middle of anything.
// Lifetime the board is borrowed.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>

#include "base/result.h"

namespace cloakroom {

struct PaceBoard {
  std::atomic<std::int64_t> paid_until{0};  // microseconds of the monotonic clock
};

struct PaceTools {
  std::function<std::int64_t()> now;  // microseconds of the monotonic clock
  std::function<void(std::chrono::milliseconds)> pause;
};
PaceTools system_pace_tools();

class Pace {
 public:
  // 0 bytes a second: as fast as it goes.
  Pace(PaceBoard& board, std::uint64_t bytes_per_second, PaceTools tools = system_pace_tools())
      : board_(board), bytes_per_second_(bytes_per_second), tools_(std::move(tools)) {}

  // Sleeps until they may be taken; kUnavailable when a stop is asked for meanwhile.
  Status take(std::size_t bytes, const std::function<bool()>& is_stop_asked);

 private:
  PaceBoard& board_;
  std::uint64_t bytes_per_second_;
  PaceTools tools_;
};

}  // namespace cloakroom

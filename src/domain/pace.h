// pace.h — reading at a bounded rate, and stopping in the middle of a file.
//
// Rate     of all that was read so far; time in which nothing was read is not made good.
// Errors   kUnavailable: a stop was asked for.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>

#include "base/result.h"

namespace cloakroom {

struct PaceRules {
  std::uint64_t bytes_per_second = 0;                                 // 0: as fast as it goes
  std::function<bool()> is_stop_asked = [] { return false; };         // looked at often
  std::function<std::chrono::steady_clock::time_point()> clock = {};  // null: the system's
  std::function<void(std::chrono::milliseconds)> pause = {};          // null: sleeps
};

class Pace {
 public:
  explicit Pace(PaceRules rules);

  // So many were read; rests if that was too fast.
  Status took(std::uint64_t bytes);
  bool is_stop_asked() const { return rules_.is_stop_asked(); }

 private:
  PaceRules rules_;
  std::chrono::steady_clock::time_point paid_until_{};
};

}  // namespace cloakroom

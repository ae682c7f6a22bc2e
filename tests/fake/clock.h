// clock.h — a clock that stands where it is put.
#pragma once

#include "domain/ports.h"

namespace cloakroom::fake {

class FixedClock final : public Clock {
 public:
  explicit FixedClock(std::int64_t unix_time = 1769851800)
      : now_(std::chrono::seconds(unix_time)) {}  // 2026-01-31 09:30
  TimePoint now() const override { return now_; }
  void advance(std::chrono::seconds by) { now_ += by; }

 private:
  TimePoint now_;
};

}  // namespace cloakroom::fake

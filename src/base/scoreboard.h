// scoreboard.h — what all children of a worker know together: one small piece of memory, mapped before fork(2).
//
// Shape    atomics alone: a child may die in the middle of anything and leaves neither a lock nor half a value.
//          Zero is where everything starts. The size is fixed; a part that needs more adds its own struct here.
// Life     a roll (SIGHUP) starts a new scoreboard with its children; the old ones keep theirs until they are done.
// Units    times are milliseconds of the monotonic clock, the same for all processes of a host.
// Lifetime mapped as long as the object lives; a forked child inherits the mapping.
#pragma once

#include <sys/types.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace cloakroom {

// Whether a server is worth asking: base/breaker.h has the rules.
struct BreakerBoard {
  std::atomic<std::uint32_t> failures{0};   // in a row
  std::atomic<std::uint32_t> openings{0};   // since the last call that worked: they lengthen the pause
  std::atomic<std::int64_t> open_until{0};  // 0: closed
};

// Who is inside a call to a server: base/bulkhead.h has the rules.
struct CallBoard {
  static constexpr std::size_t kMostCalls = 256;  // WORKERS has the same maximum

  std::array<std::atomic<pid_t>, kMostCalls> holders{};  // 0: free; negative: in a call that is silent by nature
  std::atomic<std::int64_t> moved_at{0};                 // when bytes last moved, or a call began or ended

  // The parent saw a child die, perhaps inside a call.
  void forget(pid_t child) noexcept;
};

struct Scoreboard {
  BreakerBoard s3_breaker;
  CallBoard s3_calls;
  BreakerBoard s3_secondary_breaker;
  CallBoard s3_secondary_calls;
  BreakerBoard scanner_breaker;
  CallBoard scanner_calls;
  BreakerBoard imager_breaker;
  CallBoard looking, making;  // at pictures, of pictures
  std::atomic<std::uint64_t> variants_made{0};

  // The parent saw a child die, perhaps inside a call.
  void forget(pid_t child) noexcept {
    s3_calls.forget(child);
    s3_secondary_calls.forget(child);
    scanner_calls.forget(child);
    looking.forget(child);
    making.forget(child);
  }
};

class SharedScoreboard {
 public:
  SharedScoreboard();  // BUG() when the kernel has not even this much memory
  ~SharedScoreboard();
  SharedScoreboard(const SharedScoreboard&) = delete;
  SharedScoreboard& operator=(const SharedScoreboard&) = delete;

  Scoreboard& operator*() const { return *board_; }
  Scoreboard* operator->() const { return board_; }

 private:
  Scoreboard* board_;
};

std::int64_t monotonic_ms();

}  // namespace cloakroom

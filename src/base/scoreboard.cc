// scoreboard.cc — the mapping behind the scoreboard.
#include "base/scoreboard.h"

#include <sys/mman.h>

#include <chrono>
#include <new>

#include "base/result.h"

namespace cloakroom {

// Atomics that hide a lock would be locks of one process only.
static_assert(std::atomic<std::uint32_t>::is_always_lock_free && std::atomic<std::int64_t>::is_always_lock_free &&
              std::atomic<pid_t>::is_always_lock_free);

void CallBoard::forget(pid_t child) noexcept {
  for (std::atomic<pid_t>& holder : holders) {
    for (pid_t expected : {child, -child}) holder.compare_exchange_strong(expected, 0);
  }
}

SharedScoreboard::SharedScoreboard() : board_(nullptr) {
  void* memory = ::mmap(nullptr, sizeof(Scoreboard), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) BUG("no memory for the scoreboard");
  board_ = ::new (memory) Scoreboard();
}

SharedScoreboard::~SharedScoreboard() {
  ::munmap(board_, sizeof(Scoreboard));
}

std::int64_t monotonic_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace cloakroom

// breaker.h — decides whether a server is worth asking, from what all children of a worker saw of it.
//
// Closed   calls pass. `failures` in a row (retryable and of the code `outage`: it is away, not "no") open it.
// Open     nobody asks for a pause: base * 2^(n-1), at most cap, at the n-th opening since a call worked; of it
//          a random half, so that the workers of several hosts do not come back in step.
// Probe    after the pause one caller, and nobody else for `probe_lease`, asks a cheap question first. Answered, calls
//          pass again, but the next failure opens it at once; unanswered, the next pause is longer. A probe that dies
//          costs its lease.
// Errors   an answer that is a refusal (403, 404) says that the server is there; it neither opens nor closes anything.
// Lifetime the board is borrowed and may be shared with other processes.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string_view>

#include "base/result.h"
#include "base/scoreboard.h"

namespace cloakroom {

struct BreakerPolicy {
  std::uint32_t failures = 3;
  std::chrono::milliseconds base{500};
  std::chrono::milliseconds cap{5000};
  std::chrono::milliseconds probe_lease{6000};  // longer than the cheap question may take
  Errc outage = Errc::kStore;                   // the code of its errors when it is away
  std::string_view name = "store";              // of the log's events: store.given_up, store.back
};

// Injected so that tests neither wait nor guess.
struct BreakerTools {
  std::function<std::int64_t()> now;  // milliseconds that only grow
  std::function<double()> random;     // 0 <= x < 1
};
BreakerTools system_breaker_tools();

class Breaker {
 public:
  enum class Admission { kPass, kProbe, kRefuse };

  Breaker(BreakerBoard& board, const BreakerPolicy& policy, BreakerTools tools)
      : board_(board), policy_(policy), tools_(std::move(tools)) {}

  // Whoever gets kProbe must report by probed() or note().
  Admission admit();
  bool is_open() const;  // admit() would refuse now; takes no probe

  // How a call went that was let through; also for readyz, which asks whatever the state.
  void note(const Status& outcome);
  // How the cheap question went that somebody asked because nothing moved: without an answer it opens at once.
  void asked(const Status& outcome);
  // How the cheap question of a probe went.
  void probed(const Status& outcome);

 private:
  void open();
  bool is_outage(const Status& outcome) const;

  BreakerBoard& board_;
  BreakerPolicy policy_;
  BreakerTools tools_;
};

}  // namespace cloakroom

// pool.h — a parent that keeps processes ready, each for one question (or for some, if it is so made): it answers and
// ends.
//
// Why      A decoder that was taken over, or has lost memory, or hangs, takes nothing along: the next picture finds a
//          process that has never seen one.
// Shape    `places` children may work at once. As many again stand behind them, forked and confined already, so that
//          nobody waits for either: when one ends the next is told to go, by a byte in a pipe of its own, and only then
//          accepts. That it has accepted the parent sees by the closing of that pipe; from then on it has `timeout`.
//          Each child leads a process group of its own: with it ends whatever it has started, in whatever way it ends.
// Signals  SIGTERM, SIGINT  drain: who has a question finishes it; the others end
//          SIGCHLD          a child that ended is replaced, at once if it had a question, else with back-off up to 5 s
// Log      pool.ready, pool.done, image.helper_died (signal, peak memory), image.took_too_long, fork.failed
// Memory   of N places: N that decode, and N that wait, who share nearly all with the parent.
#pragma once

#include <chrono>
#include <functional>

#include "base/handle.h"

namespace cloakroom {

struct PoolOptions {
  unsigned places = 1;
  std::chrono::milliseconds timeout{10000};  // from its first question to its end
  std::function<void()> started = {};        // once, when all children are forked; may be empty
  std::function<int(UniqueFd go)> child;     // waits at wait_for_go(), then serves; gives the exit code
};

// The child's side. False: the parent is gone. SIGTERM ends a child while it waits here.
bool wait_for_go(int go);
// A connection from the non-blocking `listener`; SIGTERM ends a child while it waits. The caller closes go after it.
UniqueFd accept_one(int listener);
// The same, but nothing when none comes for so long.
UniqueFd accept_within(int listener, std::chrono::milliseconds most);

// Until drained; gives the exit code. REQUIRES: one thread.
int run_pool(const PoolOptions& options);

}  // namespace cloakroom

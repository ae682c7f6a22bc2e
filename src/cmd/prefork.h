// prefork.h — a parent that keeps N single-threaded children alive on one listening descriptor.
//
// Signals  SIGTERM, SIGINT  drain: children finish the request in hand; after shutdown_timeout they are killed
//          SIGHUP           roll: the settings are checked by the program on disk; if they are good the parent executes
//                           it in place (same pid, same socket), new children start, old ones drain. Nobody waits.
//          SIGCHLD          a dead child is replaced, at once if it lived a second, else with back-off up to 5 s
// Children die with their parent (PR_SET_PDEATHSIG), so a killed parent leaves nobody on the socket.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

namespace cloakroom {

struct PreforkOptions {
  unsigned workers = 1;
  std::chrono::seconds shutdown_timeout{90};
  std::string program;                       // path of this executable, for a roll
  std::vector<std::string> arguments;        // argv[1..], for a roll
  std::function<void(int)> child_gone = {};  // in the parent, with the pid of a child that was reaped; may be empty
  std::function<int()> child;  // returns the child's exit code; called with all signals of the parent blocked
};

inline constexpr const char* kOldChildrenVariable = "CLOAKROOM_OLD_CHILDREN";  // set by a roll for its successor

// Runs until drained. `old_children` are pids left by the image before a roll. Returns the exit code.
int run_prefork(const PreforkOptions& options, const std::vector<int>& old_children);

}  // namespace cloakroom

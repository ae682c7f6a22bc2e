// prefork.cc — fork, wait, replace, drain and roll. All signals are blocked and taken by sigtimedwait, so no handler
// runs.
#include "cmd/prefork.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <map>

#include "base/log.h"
#include "base/result.h"

namespace cloakroom {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kShortestLife{1000};  // less than this is a crash at start
constexpr std::chrono::milliseconds kLongestBackOff{5000};

sigset_t parent_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int s : {SIGTERM, SIGINT, SIGHUP, SIGCHLD}) sigaddset(&set, s);
  return set;
}

class Parent {
 public:
  Parent(const PreforkOptions& options, const std::vector<int>& old) : options_(options) {
    for (const int pid : old) draining_[pid] = Clock::now();
  }

  int run() {
    sigset_t set = parent_signals();
    sigprocmask(SIG_BLOCK, &set, nullptr);
    while (children_.size() < options_.workers) spawn();
    for (const auto& [pid, since] : draining_) ::kill(pid, SIGTERM);
    sd_notify(0, "READY=1");
    log(Level::kInfo, "parent.ready", {{"workers", options_.workers}, {"pid", ::getpid()}});
    while (!stopping_ || !children_.empty() || !draining_.empty()) {
      step(set);
    }
    log(Level::kInfo, "parent.done", {{"pid", ::getpid()}});
    return 0;
  }

 private:
  void step(const sigset_t& set) {
    const timespec tick{0, 100'000'000};
    const int signal = ::sigtimedwait(&set, nullptr, &tick);
    if (signal == SIGTERM || signal == SIGINT) stop();
    if (signal == SIGHUP && !stopping_) roll();
    reap();
    if (stopping_ && Clock::now() > deadline_) kill_rest();
    if (!stopping_ && children_.size() < options_.workers && Clock::now() >= next_spawn_) spawn();
  }

  void spawn() {
    const pid_t parent = ::getpid();
    const pid_t pid = ::fork();
    if (pid < 0) {
      log(Level::kError, "fork.failed", {{"errno", errno}});
      back_off();
      return;
    }
    if (pid == 0) {
      // a child of a parent that died in between would stay for ever
      ::prctl(PR_SET_PDEATHSIG, SIGTERM);
      if (::getppid() != parent) ::_exit(1);
      ::_exit(options_.child());
    }
    children_[pid] = Clock::now();
  }

  void reap() {
    int status = 0;
    for (pid_t pid = ::waitpid(-1, &status, WNOHANG); pid > 0; pid = ::waitpid(-1, &status, WNOHANG)) {
      draining_.erase(pid);
      if (options_.child_gone) options_.child_gone(pid);
      const auto found = children_.find(pid);
      if (found == children_.end()) continue;
      const auto lived = Clock::now() - found->second;
      children_.erase(found);
      if (stopping_) continue;
      const bool normal = WIFEXITED(status) && WEXITSTATUS(status) == 0;
      if (!normal) {
        log(Level::kWarning, "child.died",
            {{"pid", pid},
             {"signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0},
             {"code", WIFEXITED(status) ? WEXITSTATUS(status) : 0}});
      }
      if (lived < kShortestLife && !normal) {
        back_off();
      } else {
        pause_ = std::chrono::milliseconds(0);
        next_spawn_ = Clock::now();
      }
    }
  }

  void back_off() {
    pause_ = std::clamp(pause_ * 2, std::chrono::milliseconds(100), kLongestBackOff);
    next_spawn_ = Clock::now() + pause_;
  }

  void stop() {
    if (stopping_) return;
    sd_notify(0, "STOPPING=1");
    log(Level::kInfo, "parent.drain", {{"children", children_.size()}});
    stopping_ = true;
    deadline_ = Clock::now() + options_.shutdown_timeout;
    for (const auto& [pid, since] : children_) ::kill(pid, SIGTERM);
  }

  void kill_rest() {
    for (const auto& [pid, since] : children_) ::kill(pid, SIGKILL);
    for (const auto& [pid, since] : draining_) ::kill(pid, SIGKILL);
    deadline_ = Clock::now() + std::chrono::seconds(5);
  }

  bool settings_are_good() {
    const pid_t pid = ::fork();
    if (pid < 0) return false;
    if (pid == 0) {
      if (const int null = ::open("/dev/null", O_WRONLY | O_CLOEXEC); null >= 0) ::dup2(null, STDOUT_FILENO);
      execute({"--check-config"});
      ::_exit(1);
    }
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }

  void execute(const std::vector<std::string>& arguments) {
    std::vector<std::string> words{options_.program};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    ::execv(argv[0], argv.data());
  }

  void roll() {
    sd_notify(0, "RELOADING=1");
    if (!settings_are_good()) {
      log(Level::kError, "parent.roll_refused",
          {{"detail", "the settings or the program on disk are bad; going on as before"}});
      sd_notify(0, "READY=1");
      return;
    }
    log(Level::kInfo, "parent.roll", {{"children", children_.size()}});
    std::string old;
    for (const auto* group : {&children_, &draining_}) {
      for (const auto& [pid, since] : *group) old += std::to_string(pid) + " ";
    }
    ::setenv(kOldChildrenVariable, old.c_str(), 1);
    execute(options_.arguments);
    log(Level::kError, "parent.roll_failed", {{"errno", errno}});
    ::unsetenv(kOldChildrenVariable);
    sd_notify(0, "READY=1");
  }

  const PreforkOptions& options_;
  std::map<pid_t, Clock::time_point> children_, draining_;
  bool stopping_ = false;
  Clock::time_point deadline_{}, next_spawn_{};
  std::chrono::milliseconds pause_{0};
};

}  // namespace

int run_prefork(const PreforkOptions& options, const std::vector<int>& old_children) {
  return Parent(options, old_children).run();
}

}  // namespace cloakroom

// pool.cc — fork, tell, watch, replace, drain. Signals are blocked and read from a descriptor, so no handler runs.
#include "imaging/pool.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <map>
#include <vector>

#include "base/log.h"
#include "base/result.h"

namespace cloakroom {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kFirstPause{100};
constexpr milliseconds kLongestPause{5000};
constexpr milliseconds kTick{1000};

sigset_t parent_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int s : {SIGTERM, SIGINT, SIGCHLD}) sigaddset(&set, s);
  return set;
}

// Until `fd` can be read; signals are let in meanwhile, and end us by their default.
bool wait_readable(int fd, const timespec* most = nullptr) {
  sigset_t none;
  sigemptyset(&none);
  pollfd one{fd, POLLIN, 0};
  for (;;) {
    const int ready = ::ppoll(&one, 1, most, &none);
    if (ready >= 0) return ready > 0;
    if (errno != EINTR) return false;
  }
}

class Parent {
 public:
  explicit Parent(const PoolOptions& options) : options_(options) {}

  int run() {
    const sigset_t set = parent_signals();
    ::signal(SIGPIPE, SIG_IGN);  // who is told to go may just have died
    sigprocmask(SIG_BLOCK, &set, nullptr);
    signals_ = UniqueFd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!signals_) {
      log(Level::kError, "pool.failed", {{"detail", "signalfd"}, {"errno", errno}});
      return 1;
    }
    fill();
    if (options_.started) options_.started();
    log(Level::kInfo, "pool.ready", {{"places", options_.places}, {"pid", ::getpid()}});
    while (!stopping_ || !children_.empty()) step();
    log(Level::kInfo, "pool.done", {{"pid", ::getpid()}});
    return 0;
  }

 private:
  enum class State { kSpare, kWaiting, kBusy };
  struct Child {
    UniqueFd go;
    State state = State::kSpare;
    Clock::time_point deadline{};
    bool is_late = false;
  };

  void step() {
    std::vector<pollfd> watched{{signals_.get(), POLLIN, 0}};
    std::vector<pid_t> pids;
    for (const auto& [pid, child] : children_) {
      if (child.state != State::kWaiting) continue;
      watched.push_back({child.go.get(), 0, 0});  // POLLERR: nobody reads it any more
      pids.push_back(pid);
    }
    ::poll(watched.data(), watched.size(), static_cast<int>(pause_until_due().count()));
    const auto now = Clock::now();
    for (std::size_t i = 0; i < pids.size(); ++i) {
      if (watched[i + 1].revents == 0) continue;
      Child& child = children_[pids[i]];
      child.state = State::kBusy;
      child.deadline = now + options_.timeout;
    }
    take_signals();
    reap();
    end_late_ones();
    if (!stopping_) fill();
  }

  // A byte that nobody has read: it did not come as far as to wait for it.
  static bool has_taken_go(const Child& child) {
    int unread = 0;
    return ::ioctl(child.go.get(), FIONREAD, &unread) == 0 && unread == 0;
  }

  milliseconds pause_until_due() const {
    const auto now = Clock::now();
    auto due = now + kTick;
    if (next_spawn_ > now) due = std::min(due, next_spawn_);
    for (const auto& [pid, child] : children_) {
      if (child.state == State::kBusy) due = std::min(due, child.deadline);
    }
    return std::max(milliseconds(0), std::chrono::ceil<milliseconds>(due - now));
  }

  void take_signals() {
    signalfd_siginfo info{};
    while (::read(signals_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
      if (info.ssi_signo != SIGCHLD) stop();
    }
  }

  void fill() {
    while (children_.size() < std::size_t{2} * options_.places && Clock::now() >= next_spawn_) {
      if (!spawn()) return;
    }
    auto at_work = static_cast<unsigned>(std::count_if(children_.begin(), children_.end(),
                                                       [](const auto& c) { return c.second.state != State::kSpare; }));
    for (auto& [pid, child] : children_) {
      if (at_work >= options_.places) return;
      if (child.state != State::kSpare) continue;
      constexpr char kGo = 1;
      if (::write(child.go.get(), &kGo, 1) == 1) child.state = State::kWaiting;
      ++at_work;
    }
  }

  bool spawn() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
      log(Level::kError, "fork.failed", {{"errno", errno}});
      back_off();
      return false;
    }
    UniqueFd go(ends[0]);
    UniqueFd tell(ends[1]);
    const pid_t parent = ::getpid();
    const pid_t pid = ::fork();
    if (pid < 0) {
      log(Level::kError, "fork.failed", {{"errno", errno}});
      back_off();
      return false;
    }
    if (pid == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (::getppid() != parent) ::_exit(1);  // it died in between
      if (::setpgid(0, 0) != 0) ::_exit(1);   // what it starts is in its group, and cannot leave it: imaging/confine
      tell.reset();
      signals_.reset();
      children_.clear();  // closes what its siblings are told by
      ::_exit(options_.child(std::move(go)));
    }
    children_[pid].go = std::move(tell);
    return true;
  }

  // One that has ended, or 0. Its number, which is its group's, is nobody else's until it is waited for.
  static pid_t ended() {
    siginfo_t info{};
    return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 ? info.si_pid : 0;
  }

  void reap() {
    int status = 0;
    rusage use{};
    for (pid_t pid = ended(); pid > 0; pid = ended()) {
      const auto found = children_.find(pid);
      if (found != children_.end()) ::kill(-pid, SIGKILL);  // what it has left; nothing where it has led no group yet
      if (::wait4(pid, &status, 0, &use) != pid) return;
      if (found == children_.end()) continue;
      const bool is_good = WIFEXITED(status) && WEXITSTATUS(status) == 0;
      // by its own fault at the start, or by its question?
      const bool had_question =
          found->second.state != State::kSpare && has_taken_go(found->second) && (is_good || WIFSIGNALED(status));
      children_.erase(found);
      if (stopping_) continue;
      if (!is_good) {
        log(Level::kWarning, "image.helper_died",
            {{"pid", pid},
             {"signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0},
             {"code", WIFEXITED(status) ? WEXITSTATUS(status) : 0},
             {"peak_kib", use.ru_maxrss}});
      }
      if (had_question) {
        pause_ = milliseconds(0);
      } else {
        back_off();
      }
    }
  }

  void end_late_ones() {
    const auto now = Clock::now();
    for (auto& [pid, child] : children_) {
      if (child.state != State::kBusy || child.is_late || now < child.deadline) continue;
      log(Level::kWarning, "image.took_too_long", {{"pid", pid}});
      child.is_late = true;
      child.deadline = now + kTick;
      ::kill(-pid, SIGKILL);
    }
  }

  void back_off() {
    pause_ = std::clamp(pause_ * 2, kFirstPause, kLongestPause);
    next_spawn_ = Clock::now() + pause_;
  }

  // SIGTERM ends those that wait; who has a question has it blocked.
  void stop() {
    if (stopping_) return;
    stopping_ = true;
    log(Level::kInfo, "pool.drain", {{"children", children_.size()}});
    for (const auto& [pid, child] : children_) ::kill(pid, SIGTERM);
  }

  const PoolOptions& options_;
  std::map<pid_t, Child> children_;
  UniqueFd signals_;
  bool stopping_ = false;
  Clock::time_point next_spawn_{};
  milliseconds pause_{0};
};

}  // namespace

bool wait_for_go(int go) {
  char byte = 0;
  return wait_readable(go) && ::read(go, &byte, 1) == 1;
}

namespace {

UniqueFd accept_from(int listener, const timespec* most) {
  while (wait_readable(listener, most)) {
    UniqueFd fd(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
    if (fd) return fd;
    if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) break;
  }
  return {};
}

}  // namespace

UniqueFd accept_one(int listener) {
  return accept_from(listener, nullptr);
}

UniqueFd accept_within(int listener, milliseconds most) {
  const auto whole = std::chrono::duration_cast<std::chrono::seconds>(most);
  const timespec time{whole.count(), std::chrono::nanoseconds(most - whole).count()};
  return accept_from(listener, &time);
}

int run_pool(const PoolOptions& options) {
  return Parent(options).run();
}

}  // namespace cloakroom

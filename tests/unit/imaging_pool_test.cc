// imaging_pool_test.cc — how many work at once, who is ended when, and what becomes of children that die at their
// start.
#include "imaging/pool.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <thread>

#include "base/log.h"
#include "check.h"

using namespace cloakroom;  // NOLINT: a test
using std::chrono::milliseconds;

namespace {

// A pool in a process of its own, whose children can be counted: each writes a byte when it says so.
class Pool {
 public:
  using Child = std::function<int(UniqueFd go, const std::function<void()>& tick)>;

  Pool(unsigned places, milliseconds timeout, const Child& child) {
    std::array<int, 2> ends{};
    CHECK(::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) == 0);
    ticks_ = UniqueFd(ends[0]);
    UniqueFd write_end(ends[1]);
    pid_ = ::fork();
    if (pid_ != 0) return;
    set_log_level(Level::kError);
    const int to = write_end.get();
    const PoolOptions options{.places = places, .timeout = timeout, .child = [&](UniqueFd go) {
                                return child(std::move(go), [to] { CHECK(::write(to, "x", 1) == 1); });
                              }};
    ::_exit(run_pool(options));
  }
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;
  ~Pool() {
    if (pid_ > 0) end(SIGKILL);
  }

  // Ticks until now, all together.
  int ticks_after(milliseconds pause) {
    std::this_thread::sleep_for(pause);
    std::array<char, 4096> block{};
    for (ssize_t n = 0; (n = ::read(ticks_.get(), block.data(), block.size())) > 0;) ticks_seen_ += static_cast<int>(n);
    return ticks_seen_;
  }
  int ticks_of_at_least(int wanted) {
    for (int i = 0; i < 500 && ticks_after(milliseconds(20)) < wanted; ++i) continue;
    return ticks_seen_;
  }
  int end(int number = SIGTERM) {
    int status = 0;
    ::kill(pid_, number);
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  UniqueFd ticks_;
  pid_t pid_ = -1;
  int ticks_seen_ = 0;
};

}  // namespace

static void no_more_work_at_once_than_there_are_places() {
  Pool pool(2, milliseconds(60000), [](UniqueFd go, const auto& tick) {
    if (!wait_for_go(go.get())) return 1;
    go.reset();
    tick();
    while (true) ::pause();
    return 0;
  });
  CHECK_EQ(pool.ticks_of_at_least(2), 2);
  CHECK_EQ(pool.ticks_after(milliseconds(300)), 2);
}

static void each_end_makes_room_for_the_next_at_once() {
  Pool pool(1, milliseconds(60000), [](UniqueFd go, const auto& tick) {
    if (!wait_for_go(go.get())) return 1;
    tick();
    return 0;
  });
  CHECK(pool.ticks_of_at_least(20) >= 20);
  CHECK_EQ(pool.end(), 0);
}

static void who_takes_too_long_is_ended_and_followed() {
  Pool pool(1, milliseconds(100), [](UniqueFd go, const auto& tick) {
    if (!wait_for_go(go.get())) return 1;
    go.reset();
    tick();
    while (true) ::pause();
    return 0;
  });
  CHECK(pool.ticks_of_at_least(3) >= 3);
}

// Of those that are left over each writes for as long as it is there.
static void nothing_that_a_child_has_started_outlives_it() {
  for (const bool is_late : {false, true}) {
    Pool pool(1, milliseconds(100), [is_late](UniqueFd go, const auto& tick) {
      if (!wait_for_go(go.get())) return 1;
      go.reset();
      tick();
      if (::fork() == 0) {
        for (int i = 0; i < 100; ++i) {
          std::this_thread::sleep_for(milliseconds(200));
          tick();
        }
        ::_exit(0);
      }
      std::this_thread::sleep_for(milliseconds(is_late ? 60000 : 50));
      return 0;
    });
    CHECK(pool.ticks_of_at_least(3) >= 3);
    CHECK_EQ(pool.end(), 0);
    const int then = pool.ticks_after(milliseconds(0));
    CHECK_EQ(pool.ticks_after(milliseconds(500)), then);
  }
}

static void children_that_die_at_their_start_are_not_replaced_at_once() {
  for (const bool by_signal : {false, true}) {
    Pool pool(2, milliseconds(60000), [&](UniqueFd, const auto& tick) {
      tick();
      if (by_signal) ::raise(SIGKILL);
      return 78;
    });
    CHECK(pool.ticks_of_at_least(4) >= 4);
    CHECK(pool.ticks_after(milliseconds(1000)) <= 20);
    CHECK_EQ(pool.end(), 0);
  }
}

static void who_dies_by_his_question_is_followed_at_once() {
  Pool pool(1, milliseconds(60000), [](UniqueFd go, const auto& tick) {
    if (!wait_for_go(go.get())) return 1;
    tick();
    ::raise(SIGKILL);
    return 0;
  });
  const auto begin = std::chrono::steady_clock::now();
  CHECK(pool.ticks_of_at_least(30) >= 30);
  CHECK(std::chrono::steady_clock::now() - begin < milliseconds(5000));
}

static void sigterm_ends_those_that_wait_and_lets_the_others_finish() {
  Pool pool(1, milliseconds(60000), [](UniqueFd go, const auto& tick) {
    if (!wait_for_go(go.get())) return 1;
    go.reset();
    tick();
    std::this_thread::sleep_for(milliseconds(300));
    tick();
    return 0;
  });
  CHECK_EQ(pool.ticks_of_at_least(1), 1);
  CHECK_EQ(pool.end(), 0);
  CHECK_EQ(pool.ticks_after(milliseconds(0)), 2);
}

int main() {
  const CMUnitTest tests[] = {
      CASE(no_more_work_at_once_than_there_are_places),
      CASE(each_end_makes_room_for_the_next_at_once),
      CASE(who_takes_too_long_is_ended_and_followed),
      CASE(nothing_that_a_child_has_started_outlives_it),
      CASE(children_that_die_at_their_start_are_not_replaced_at_once),
      CASE(who_dies_by_his_question_is_followed_at_once),
      CASE(sigterm_ends_those_that_wait_and_lets_the_others_finish),
  };
  return RUN_TESTS("imaging_pool", tests);
}

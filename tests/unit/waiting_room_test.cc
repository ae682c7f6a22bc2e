// waiting_room_test.cc — turns by the clock: who waits, how long, and what becomes of those who leave.
#include "cmd/waiting_room.h"

#include <map>
#include <string>

#include "base/limits.h"
#include "base/log.h"
#include "check.h"
#include "fake/exchange.h"

using namespace cloakroom;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

struct Seen {
  int turns = 0, last_turns = 0, finished = 0;
  bool is_gone = false;
  WaitingRoom::Clock::time_point begun{};
};

class FakeHeld final : public HeldExchange {
 public:
  explicit FakeHeld(Seen& seen) : seen_(seen) {}
  Seen& seen() { return seen_; }

  std::string_view variable(const char*) const override { return {}; }
  Result<std::size_t> read_body(std::span<std::byte>) override { return std::size_t{0}; }
  Status write(std::span<const std::byte>) override { return Ok{}; }
  bool is_abandoned() const override { return seen_.is_gone; }
  void finish() override { ++seen_.finished; }

 private:
  Seen& seen_;
};

struct World {
  WaitingRoom::Clock::time_point now{seconds(1000)};
  milliseconds turn_takes{0}, slept{0};
  bool is_there = false;  // what they all wait for
  std::map<std::string, Seen> seen;
  WaitingRoom room{[this](Exchange& exchange, const Turn& turn) {
                     Seen& one = dynamic_cast<FakeHeld&>(exchange).seen();
                     CHECK_EQ(turn.is_first, one.turns == 0);
                     if (turn.is_first) one.begun = turn.begun;
                     CHECK(turn.begun == one.begun);
                     ++one.turns;
                     one.last_turns += turn.is_last ? 1 : 0;
                     now += turn_takes;
                     return is_there || turn.is_last ? Served::kDone : Served::kLater;
                   },
                   {[this] { return now; },
                    [this](milliseconds time) {
                      now += time;
                      slept += time;
                    }}};

  World() { set_log_level(Level::kError); }
  bool serve(const std::string& name) {
    auto exchange = std::make_unique<FakeHeld>(seen[name]);
    const bool is_answered = room.serve(exchange);
    CHECK_EQ(exchange != nullptr, is_answered);  // ours again, to accept the next with
    return is_answered;
  }
  void look_after(milliseconds time) {
    now += time;
    room.look();
  }
};

}  // namespace

static void who_can_be_answered_does_not_wait() {
  World w;
  w.is_there = true;
  CHECK(w.serve("a"));
  CHECK(w.room.empty() && w.seen["a"].finished == 1 && w.seen["a"].last_turns == 0);
  CHECK_EQ(w.room.sleep_ms(), -1);
}

static void who_waits_is_asked_again_after_each_pause_and_not_before() {
  World w;
  CHECK(!w.serve("a"));
  CHECK_EQ(w.room.sleep_ms(), 50);
  w.look_after(milliseconds(49));
  CHECK_EQ(w.seen["a"].turns, 1);
  CHECK_EQ(w.room.sleep_ms(), 1);
  w.look_after(milliseconds(1));
  CHECK_EQ(w.seen["a"].turns, 2);
  CHECK_EQ(w.room.sleep_ms(), 50);
  w.now += milliseconds(80);  // busy with another request
  CHECK_EQ(w.room.sleep_ms(), 0);
  w.is_there = true;
  w.room.look();
  CHECK(w.room.empty() && w.seen["a"].finished == 1);
}

static void after_the_longest_wait_the_turn_is_the_last() {
  World w;
  w.turn_takes = milliseconds(700);
  w.serve("a");
  while (!w.room.empty()) w.look_after(milliseconds(50));
  CHECK_EQ(w.seen["a"].last_turns, 1);
  const auto waited = w.now - w.seen["a"].begun;
  CHECK(waited > WaitingRoom::kLongest && waited < WaitingRoom::kLongest + seconds(2));
}

static void when_the_room_is_full_nobody_else_waits() {
  World w;
  for (std::size_t i = 0; i < limits::kWaitingRequests; ++i) CHECK(!w.serve(std::to_string(i)));
  CHECK(w.serve("late"));
  CHECK_EQ(w.seen["late"].last_turns, 1);
}

static void who_has_left_gets_no_turn_any_more() {
  World w;
  w.serve("stays");
  w.serve("leaves");
  w.seen["leaves"].is_gone = true;
  w.look_after(milliseconds(50));
  CHECK(w.seen["leaves"].turns == 1 && w.seen["leaves"].finished == 1);
  CHECK(w.seen["stays"].turns == 2 && w.seen["stays"].finished == 0 && !w.room.empty());
}

static void a_room_that_closes_waits_by_the_clock_and_answers_all() {
  for (const milliseconds turn : {milliseconds(0), milliseconds(400)}) {
    World w;
    w.turn_takes = turn;
    for (const char* name : {"a", "b", "c"}) w.serve(name);
    const auto begin = w.now;
    w.room.close(seconds(3));
    CHECK(w.room.empty());
    const auto took = w.now - begin;
    CHECK(took >= seconds(3) && took <= seconds(3) + 4 * turn + WaitingRoom::kPause);
    for (const char* name : {"a", "b", "c"}) CHECK(w.seen[name].last_turns == 1 && w.seen[name].finished == 1);
    CHECK_EQ(w.seen["a"].turns > 30, turn == milliseconds(0));
  }
}

static void a_room_that_closes_does_not_wait_for_nobody() {
  World w;
  w.room.close(seconds(3));
  w.serve("a");
  w.is_there = true;
  w.room.close(seconds(3));
  CHECK(w.room.empty() && w.slept <= WaitingRoom::kPause);
  CHECK_EQ(w.seen["a"].last_turns, 0);
}

int main() {
  const CMUnitTest tests[] = {
      CASE(who_can_be_answered_does_not_wait),           CASE(who_waits_is_asked_again_after_each_pause_and_not_before),
      CASE(after_the_longest_wait_the_turn_is_the_last), CASE(when_the_room_is_full_nobody_else_waits),
      CASE(who_has_left_gets_no_turn_any_more),          CASE(a_room_that_closes_waits_by_the_clock_and_answers_all),
      CASE(a_room_that_closes_does_not_wait_for_nobody),
  };
  return RUN_TESTS("waiting_room", tests);
}

// breaker_test.cc — when a store is given up, for how long, and how it comes back; nothing sleeps, nothing is random.
#include "base/breaker.h"

#include "base/log.h"
#include "check.h"

using namespace cloakroom;
using Admission = Breaker::Admission;

namespace {

const Status kWorks = Ok{};
const Status kAway = Error{Errc::kStore, "connection refused", {}, true};
const Status kRefused = Error{Errc::kStore, "store answered 403", {}, false};
const Status kMissing = Error{Errc::kNotFound, "no such object"};

struct Bench {
  BreakerBoard board;
  std::int64_t now = 1000;
  double random = 1.0;  // the longest pause, to reckon with
  Breaker breaker{board, BreakerPolicy{}, {[this] { return now; }, [this] { return random; }}};
  // another child of the same worker
  Breaker sibling{board, BreakerPolicy{}, {[this] { return now; }, [this] { return random; }}};

  Bench() { set_log_level(Level::kError); }
  void fail(int times) {
    for (int i = 0; i < times; ++i) breaker.note(kAway);
  }
  // The pause of the opening that just happened.
  std::int64_t pause() const { return board.open_until.load() - now; }
  void to_the_end_of_the_pause() { now = board.open_until.load(); }
};

}  // namespace

static void failures_in_a_row_open_it_for_all_children() {
  Bench b;
  b.fail(2);
  CHECK(b.breaker.admit() == Admission::kPass && !b.breaker.is_open());
  b.sibling.note(kAway);
  CHECK(b.breaker.admit() == Admission::kRefuse && b.sibling.admit() == Admission::kRefuse);
  CHECK(b.breaker.is_open() && b.sibling.is_open());
}

static void a_question_without_an_answer_while_nothing_moves_opens_it_at_once() {
  Bench b;
  b.breaker.asked(kRefused);
  CHECK(!b.breaker.is_open());
  b.breaker.asked(kAway);
  CHECK(b.breaker.is_open() && b.sibling.is_open());
  const std::int64_t until = b.board.open_until.load();
  b.sibling.asked(kAway);  // that asked at the same time
  CHECK_EQ(b.board.open_until.load(), until);
  b.sibling.asked(kWorks);
  CHECK(!b.breaker.is_open());
}

static void a_success_between_failures_begins_the_count_anew() {
  Bench b;
  b.fail(2);
  b.sibling.note(kWorks);
  b.fail(2);
  CHECK(b.breaker.admit() == Admission::kPass);
}

static void an_answer_that_is_a_refusal_neither_opens_nor_closes() {
  Bench b;
  for (int i = 0; i < 10; ++i) b.breaker.note(i % 2 == 0 ? kRefused : kMissing);
  CHECK(b.breaker.admit() == Admission::kPass);
  b.fail(3);
  b.breaker.note(kMissing);
  CHECK(b.breaker.admit() == Admission::kRefuse);
}

static void after_the_pause_one_child_probes_and_the_others_still_wait() {
  Bench b;
  b.fail(3);
  b.now += 499;
  CHECK(b.breaker.admit() == Admission::kRefuse);
  b.now += 1;
  CHECK(!b.breaker.is_open());
  CHECK(b.breaker.admit() == Admission::kProbe);
  CHECK(b.sibling.admit() == Admission::kRefuse && b.breaker.admit() == Admission::kRefuse);
}

static void an_answered_probe_lets_calls_pass_and_one_failure_opens_again() {
  for (const Status& answer : {kWorks, kRefused}) {
    Bench b;
    b.fail(3);
    b.to_the_end_of_the_pause();
    CHECK(b.breaker.admit() == Admission::kProbe);
    b.breaker.probed(answer);
    CHECK(b.sibling.admit() == Admission::kPass);
    b.sibling.note(kAway);
    CHECK(b.breaker.admit() == Admission::kRefuse);
    CHECK_EQ(b.pause(), 1000);  // the second opening since a call worked
  }
}

static void pauses_double_up_to_the_cap_until_a_call_works() {
  Bench b;
  b.fail(3);
  for (const std::int64_t wanted : {500, 1000, 2000, 4000, 5000, 5000}) {
    CHECK_EQ(b.pause(), wanted);
    b.to_the_end_of_the_pause();
    CHECK(b.breaker.admit() == Admission::kProbe);
    b.breaker.probed(kAway);
  }
  b.to_the_end_of_the_pause();
  CHECK(b.breaker.admit() == Admission::kProbe);
  b.breaker.probed(kWorks);
  b.breaker.note(kWorks);
  b.fail(3);
  CHECK_EQ(b.pause(), 500);
}

static void half_of_a_pause_is_chance() {
  Bench b;
  b.random = 0;
  b.fail(3);
  CHECK_EQ(b.pause(), 250);
}

static void a_probe_that_dies_costs_its_lease() {
  Bench b;
  b.fail(3);
  b.to_the_end_of_the_pause();
  CHECK(b.breaker.admit() == Admission::kProbe);
  b.now += 5999;
  CHECK(b.sibling.admit() == Admission::kRefuse);
  b.now += 1;
  CHECK(b.sibling.admit() == Admission::kProbe);
}

// readyz asks whatever the state.
static void a_call_that_works_closes_it_at_once() {
  Bench b;
  b.fail(3);
  b.sibling.note(kWorks);
  CHECK(b.breaker.admit() == Admission::kPass);
  b.fail(2);
  CHECK(b.breaker.admit() == Admission::kPass);
}

static void late_failures_of_calls_from_before_do_not_lengthen_the_pause() {
  Bench b;
  b.fail(3);
  const std::int64_t pause = b.pause();
  b.fail(5);
  CHECK_EQ(b.pause(), pause);
}

int main() {
  const CMUnitTest tests[] = {
      CASE(failures_in_a_row_open_it_for_all_children),
      CASE(a_question_without_an_answer_while_nothing_moves_opens_it_at_once),
      CASE(a_success_between_failures_begins_the_count_anew),
      CASE(an_answer_that_is_a_refusal_neither_opens_nor_closes),
      CASE(after_the_pause_one_child_probes_and_the_others_still_wait),
      CASE(an_answered_probe_lets_calls_pass_and_one_failure_opens_again),
      CASE(pauses_double_up_to_the_cap_until_a_call_works),
      CASE(half_of_a_pause_is_chance),
      CASE(a_probe_that_dies_costs_its_lease),
      CASE(a_call_that_works_closes_it_at_once),
      CASE(late_failures_of_calls_from_before_do_not_lengthen_the_pause),
  };
  return RUN_TESTS("breaker", tests);
}

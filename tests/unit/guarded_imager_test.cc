// guarded_imager_test.cc — a picture maker that is away is not asked each time, and is asked again.
#include "media/guarded_imager.h"

#include "check.h"
#include "fake/imager.h"

using namespace cloakroom;

namespace {

const Error kAway{Errc::kImagerAway, "down", {}, true};

struct World {
  SharedScoreboard board;
  std::int64_t now = 1000;
  fake::FakeImager imager;
  int questions = 0;
  Status answer = Ok{};
  Breaker breaker{board->imager_breaker,
                  {.outage = Errc::kImagerAway, .name = "imager"},
                  {[this] { return now; }, [] { return 0.5; }}};
  GuardedImager guarded{imager, breaker, [this] {
                          ++questions;
                          return answer;
                        }};
  UniqueFd file{::memfd_create("bytes", MFD_CLOEXEC)};

  auto probe() { return guarded.probe({file.get(), 0, 0, {}}, "image/png"); }
  auto render() { return guarded.render({file.get(), 0, 0, {}}, "image/png", {}); }
  void fail(int times) {
    for (int i = 0; i < times; ++i) {
      imager.failures.fail(1, kAway);
      CHECK_ERR(probe(), Errc::kImagerAway);
    }
  }
};

}  // namespace

static void after_three_failures_nobody_asks_for_a_while() {
  World w;
  w.fail(3);
  CHECK_EQ(w.imager.probed.size(), 3u);
  CHECK_ERR(w.probe(), Errc::kImagerAway);
  CHECK_ERR(w.render(), Errc::kImagerAway);
  CHECK_EQ(w.imager.probed.size(), 3u);
  CHECK(w.imager.rendered.empty());
}

static void after_the_pause_a_cheap_question_brings_it_back_or_does_not() {
  World w;
  w.fail(3);
  w.now += 1000;
  w.answer = kAway;
  CHECK_ERR(w.probe(), Errc::kImagerAway);
  CHECK_EQ(w.questions, 1);
  CHECK_EQ(w.imager.probed.size(), 3u);
  w.now += 5000;
  w.answer = Ok{};
  CHECK_OK(w.probe());
  CHECK_OK(w.render());
  CHECK_EQ(w.questions, 2);
}

static void what_a_probe_hears_is_not_about_the_picture_of_who_made_it() {
  World w;
  w.fail(3);
  w.now += 1000;
  w.answer = Error{Errc::kUndecodable, "imager: it does not know one pixel"};
  CHECK_ERR(w.probe(), Errc::kImagerAway);
  CHECK_EQ(w.questions, 1);
  CHECK_EQ(w.imager.probed.size(), 3u);
}

static void a_probe_is_made_by_one_and_the_others_are_refused_meanwhile() {
  World w;
  w.fail(3);
  w.now += 1000;
  Result<Rendered> other = Error{Errc::kInternal, "not asked"};
  GuardedImager first{w.imager, w.breaker, [&]() -> Status {
                        other = w.render();
                        return Ok{};
                      }};
  CHECK_OK(first.probe({w.file.get(), 0, 0, {}}, "image/png"));
  CHECK(!other && other.error().code == Errc::kImagerAway);
  CHECK_EQ(w.questions, 0);
}

// Looks at pictures that take long hold so many children and no more.
static void a_look_takes_a_place_and_does_not_wait_for_one() {
  World w;
  Bulkhead places{w.board->looking, 2, std::chrono::milliseconds(1000), {[&] { return w.now; }, [] { CHECK(false); }}};
  GuardedImager guarded{w.imager, w.breaker, [] { return Status(Ok{}); }, &places};
  const FileRange bytes{w.file.get(), 0, 0, {}};
  {
    const Bulkhead::Place one = places.try_enter(), two = places.try_enter();
    CHECK(one && two);
    const auto refused = guarded.probe(bytes, "image/png");
    CHECK_ERR(refused, Errc::kImagerAway);
    CHECK(refused.error().retryable && w.imager.probed.empty());
    CHECK_OK(guarded.render(bytes, "image/png", {}));  // has places of its own
  }
  w.imager.before_probe = [&] {
    const Bulkhead::Place last = places.try_enter();
    CHECK(last && !places.try_enter());
  };
  CHECK_OK(guarded.probe(bytes, "image/png"));
  w.imager.before_probe = [] {};
  // places that are taken are no sign of an imager that is away
  for (int i = 0; i < 5; ++i) {
    const Bulkhead::Place one = places.try_enter(), two = places.try_enter();
    CHECK_ERR(guarded.probe(bytes, "image/png"), Errc::kImagerAway);
  }
  CHECK_OK(guarded.probe(bytes, "image/png"));
}

static void a_broken_picture_is_an_answer() {
  World w;
  for (int i = 0; i < 10; ++i) {
    w.imager.failures.fail(1, Error{Errc::kUndecodable, "truncated"});
    CHECK_ERR(w.render(), Errc::kUndecodable);
  }
  CHECK_OK(w.render());
  CHECK_EQ(w.questions, 0);
}

int main() {
  const CMUnitTest tests[] = {
      CASE(after_three_failures_nobody_asks_for_a_while),
      CASE(after_the_pause_a_cheap_question_brings_it_back_or_does_not),
      CASE(what_a_probe_hears_is_not_about_the_picture_of_who_made_it),
      CASE(a_probe_is_made_by_one_and_the_others_are_refused_meanwhile),
      CASE(a_look_takes_a_place_and_does_not_wait_for_one),
      CASE(a_broken_picture_is_an_answer),
  };
  return RUN_TESTS("guarded_imager", tests);
}

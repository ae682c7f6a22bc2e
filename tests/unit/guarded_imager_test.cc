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
      CASE(a_broken_picture_is_an_answer),
  };
  return RUN_TESTS("guarded_imager", tests);
}

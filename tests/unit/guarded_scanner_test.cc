// guarded_scanner_test.cc — a scanner that fails or hangs is not waited for by every child; nothing sleeps.
#include "scan/guarded_scanner.h"

#include <unistd.h>

#include "base/log.h"
#include "check.h"
#include "fake/scanner.h"

using namespace cloakroom;

namespace {

const Error kAway{Errc::kScannerAway, "clamd: took too long", {}, true};
constexpr std::chrono::milliseconds kPatience{2000};

struct Bench {
  SharedScoreboard board;
  std::int64_t now = 10000;
  fake::Journal journal;
  fake::FakeScanner inner{&journal};
  Breaker breaker{board->scanner_breaker,
                  BreakerPolicy{.outage = Errc::kScannerAway, .name = "scanner"},
                  {[this] { return now; }, [] { return 1.0; }}};
  Bulkhead bulkhead{board->scanner_calls, 1, kPatience, {[this] { return now; }, [this] { now += 100; }}};
  CallGuard guard{{"the virus scanner", Errc::kScannerAway, [this] { return inner.ready(); }}, breaker, bulkhead};
  GuardedScanner scanner{inner, guard};

  Bench() { set_log_level(Level::kError); }
  auto scan() {
    return scanner.scan([](ByteSink& sink) { return sink.write(std::as_bytes(std::span("x", 1))); });
  }
  void fail(int times) {
    for (int i = 0; i < times; ++i) {
      inner.failures.fail(1, kAway);
      CHECK_ERR(scan(), Errc::kScannerAway);
    }
  }
};

}  // namespace

static void verdicts_pass_as_they_are() {
  Bench b;
  b.inner.next = {{ScanOutcome::kInfected, "Evil"}};
  CHECK(CHECK_OK(b.scan()).outcome == ScanOutcome::kInfected);
  CHECK(CHECK_OK(b.scan()).outcome == ScanOutcome::kClean);
  CHECK_EQ(b.inner.seen.size(), 2u);
  CHECK_OK(b.scanner.ready());
  CHECK_EQ(CHECK_OK(b.scanner.signatures()), 1u);
  CHECK_EQ(b.board->scanner_calls.holders[0].load(), 0);
}

static void a_scanner_that_failed_three_times_is_not_asked() {
  Bench b;
  b.fail(3);
  b.journal.clear();
  CHECK_ERR(b.scan(), Errc::kScannerAway);
  CHECK_ERR(b.scanner.admits(), Errc::kScannerAway);
  CHECK(b.journal.empty());
}

static void after_the_pause_it_is_asked_whether_it_lives() {
  Bench b;
  b.fail(3);
  b.journal.clear();
  b.now = b.board->scanner_breaker.open_until.load();
  CHECK_OK(b.scan());
  const fake::Journal wanted{"scanner_ready", "scan"};
  CHECK(b.journal == wanted);
}

static void what_the_source_says_is_not_held_against_the_scanner() {
  Bench b;
  for (int i = 0; i < 5; ++i) {
    const auto outcome = b.scanner.scan([](ByteSink&) { return Status(Error{Errc::kStore, "gone", {}, true}); });
    CHECK_ERR(outcome, Errc::kStore);
  }
  CHECK_OK(b.scan());
}

static void a_scanner_that_thinks_is_silent_by_nature() {
  Bench b;
  const auto& holder = b.board->scanner_calls.holders[0];
  pid_t meanwhile = 0;
  const auto outcome = b.scanner.scan([&](ByteSink& sink) {
    meanwhile = holder.load();
    return sink.write({});
  });
  CHECK_OK(outcome);
  CHECK_EQ(meanwhile, ::getpid());
  // after the last byte: what FakeScanner sees while it makes up its mind
  struct Thinking final : Scanner {
    explicit Thinking(const std::atomic<pid_t>& its_holder) : holder(its_holder) {}
    Status ready() override { return Ok{}; }
    Result<ScanVerdict> scan(const ByteSource& bytes) override {
      struct Sink final : ByteSink {
        Status write(std::span<const std::byte>) override { return Ok{}; }
      } sink;
      TRY(bytes(sink));
      seen = holder.load();
      return ScanVerdict{};
    }
    Result<std::uint64_t> signatures() override { return std::uint64_t{0}; }
    const std::atomic<pid_t>& holder;
    pid_t seen = 0;
  } thinking(holder);
  GuardedScanner scanner(thinking, b.guard);
  CHECK_OK(scanner.scan([](ByteSink& sink) { return sink.write({}); }));
  CHECK_EQ(thinking.seen, -::getpid());
  CHECK_EQ(holder.load(), 0);
}

static void while_it_hangs_those_who_find_no_place_are_refused() {
  Bench b;
  b.board->scanner_calls.holders[0] = -1;  // another child, which waits for its verdict
  b.board->scanner_calls.moved_at = b.now;
  b.inner.failures.fail(1, kAway);  // the question whether it lives
  CHECK_ERR(b.scan(), Errc::kScannerAway);
  b.journal.clear();
  for (int i = 0; i < 5; ++i) CHECK_ERR(b.scan(), Errc::kScannerAway);
  CHECK(b.journal.empty());  // one question was enough for all
  b.now = b.board->scanner_breaker.open_until.load();
  CHECK_OK(b.scan());  // one that answers is only busy
}

int main() {
  const CMUnitTest tests[] = {
      CASE(verdicts_pass_as_they_are),
      CASE(a_scanner_that_failed_three_times_is_not_asked),
      CASE(after_the_pause_it_is_asked_whether_it_lives),
      CASE(what_the_source_says_is_not_held_against_the_scanner),
      CASE(a_scanner_that_thinks_is_silent_by_nature),
      CASE(while_it_hangs_those_who_find_no_place_are_refused),
  };
  return cmocka_run_group_tests_name("guarded_scanner", tests, nullptr, nullptr);
}

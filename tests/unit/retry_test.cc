// retry_test.cc — RetryingStore around a store that fails as told; nothing sleeps, nothing is random.
#include "storage/retry.h"

#include <string>
#include <vector>

#include "check.h"

using namespace cloakroom;  // NOLINT: a test
using std::chrono::milliseconds;

namespace {

const Error kPassing{Errc::kStore, "passing", {}, true};
const Error kThrottled{Errc::kStore, "slow down", {}, true, true};
const Error kLasting{Errc::kStore, "lasting", {}, false};

// Fails each call with the next error of its script, then works.
class ScriptedStore final : public BlobStore {
 public:
  std::vector<Error> script;
  std::size_t calls = 0;
  std::string sent_before_failing;

  StoreKind kind() const override { return StoreKind::kS3; }
  Status prepare() override { return next(); }
  Status ready() override { return next(); }
  Result<Sha256Digest> put(const ObjectKey&, const FileRange&, const ObjectMeta&) override {
    TRY(next());
    return sha256("put");
  }
  Result<ObjectInfo> head(const ObjectKey&) override {
    TRY(next());
    return ObjectInfo{7, "text/plain"};
  }
  Status get(const ObjectKey&, const ByteRange&, ByteSink& sink) override {
    Status status = next();
    const std::string bytes = status ? "whole" : sent_before_failing;
    TRY(sink.write(std::as_bytes(std::span(bytes))));
    return status;
  }
  Status remove(const ObjectKey&) override { return next(); }
  Status copy(const ObjectKey&, const ObjectKey&, const ObjectMeta&) override { return next(); }

 private:
  Status next() {
    if (calls++ < script.size()) return script[calls - 1];
    return Ok{};
  }
};

struct StringSink final : ByteSink {
  std::string text;
  Status write(std::span<const std::byte> bytes) override {
    text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return Ok{};
  }
};

struct Bench {
  ScriptedStore inner;
  std::vector<milliseconds> pauses;
  double random = 1.0;
  RetryingStore store{
      inner, RetryPolicy{}, {[this](milliseconds time) { pauses.push_back(time); }, [this] { return random; }}};
  ObjectKey key = CHECK_OK(ObjectKey::parse("k"));
};

void a_call_that_works_is_made_once() {
  Bench b;
  CHECK_EQ(CHECK_OK(b.store.head(b.key)).size_bytes, 7U);
  CHECK_EQ(b.inner.calls, 1U);
  CHECK(b.pauses.empty());
}

void a_passing_fault_is_repeated_until_it_has_passed() {
  Bench b;
  b.inner.script = {kPassing, kPassing};
  CHECK(CHECK_OK(b.store.put(b.key, {}, {})) == sha256("put"));
  CHECK_EQ(b.inner.calls, 3U);
}

void every_operation_but_ready_is_repeated() {
  Bench b;
  StringSink sink;
  b.inner.script = {kPassing};
  CHECK_OK(b.store.remove(b.key));
  b.inner.calls = 0;
  CHECK_OK(b.store.copy(b.key, b.key, {}));
  CHECK_EQ(b.inner.calls, 2U);
  b.inner.calls = 0;
  CHECK_OK(b.store.prepare());
  b.inner.calls = 0;
  CHECK_OK(b.store.head(b.key));
  b.inner.calls = 0;
  CHECK_OK(b.store.get(b.key, {0, 5}, sink));
  CHECK_EQ(sink.text, "whole");
  b.inner.calls = 0;
  CHECK_ERR(b.store.ready(), Errc::kStore);
  CHECK_EQ(b.inner.calls, 1U);
}

void the_third_failure_is_the_last_and_is_returned() {
  Bench b;
  b.inner.script = {kPassing, kPassing, Error{Errc::kStore, "third", {}, true}, kPassing};
  const auto info = b.store.head(b.key);
  CHECK(!info);
  CHECK_EQ(info.error().detail, "third");
  CHECK_EQ(b.inner.calls, 3U);
  CHECK_EQ(b.pauses.size(), 2U);
}

void a_lasting_fault_is_not_repeated() {
  Bench b;
  b.inner.script = {kLasting};
  CHECK_ERR(b.store.remove(b.key), Errc::kStore);
  CHECK_EQ(b.inner.calls, 1U);
  CHECK(b.pauses.empty());
}

void pauses_double_up_to_the_cap_and_shrink_by_chance() {
  Bench b;
  b.inner.script = std::vector<Error>(10, kPassing);
  RetryPolicy many;
  many.attempts = 9;
  RetryingStore patient(b.inner, many,
                        {[&b](milliseconds time) { b.pauses.push_back(time); }, [&b] { return b.random; }});
  CHECK_ERR(patient.head(b.key), Errc::kStore);
  std::vector<long> longest;
  for (const milliseconds pause : b.pauses) longest.push_back(pause.count());
  CHECK((longest == std::vector<long>{50, 100, 200, 400, 800, 1600, 2000, 2000}));

  b.pauses.clear();
  b.inner.calls = 0;
  b.random = 0.25;
  CHECK_ERR(patient.head(b.key), Errc::kStore);
  CHECK_EQ(b.pauses[0].count(), 12);
  CHECK_EQ(b.pauses[7].count(), 500);
}

void a_throttling_store_gets_a_longer_pause() {
  Bench b;
  b.inner.script = {kThrottled, kPassing};
  CHECK_OK(b.store.head(b.key));
  CHECK_EQ(b.pauses[0].count(), 1000);
  CHECK_EQ(b.pauses[1].count(), 100);
}

Error asking(milliseconds time) {
  Error error = kPassing;
  error.retry_after = time;
  return error;
}

void a_pause_that_the_store_asks_for_is_kept_within_reason() {
  Bench b;
  b.inner.script = {asking(milliseconds(3000)), asking(milliseconds(60000))};
  CHECK_OK(b.store.head(b.key));
  CHECK_EQ(b.pauses[0].count(), 3000);
  CHECK_EQ(b.pauses[1].count(), 5100);  // 5 s over our own 100 ms
  b.inner.calls = 0;
  b.inner.script = {asking(milliseconds(1))};
  CHECK_OK(b.store.head(b.key));
  CHECK_EQ(b.pauses[2].count(), 50);  // our own is longer
}

std::size_t calls_in_an_outage(Bench& b, int requests) {
  b.inner.calls = 0;
  for (int i = 0; i < requests; ++i) CHECK_ERR(b.store.head(b.key), Errc::kStore);
  return b.inner.calls;
}

void an_outage_does_not_multiply_the_load() {
  Bench b;
  b.inner.script = std::vector<Error>(10000, kPassing);
  CHECK_EQ(calls_in_an_outage(b, 1000), 1000U + 500 / 14);  // the purse pays for 35 repetitions
  Bench throttled;
  throttled.inner.script = std::vector<Error>(10000, kThrottled);
  CHECK_EQ(calls_in_an_outage(throttled, 1000), 1000U + 500 / 5);
}

void the_purse_fills_again_by_successes() {
  Bench b;
  b.inner.script = std::vector<Error>(10000, kPassing);
  (void)calls_in_an_outage(b, 100);
  b.inner.script.clear();
  for (int i = 0; i < 8; ++i) CHECK_OK(b.store.head(b.key));  // 10 were left over
  b.inner.script = std::vector<Error>(10000, kPassing);
  CHECK_EQ(calls_in_an_outage(b, 10), 11U);
  b.inner.script.clear();
  for (int i = 0; i < 5000; ++i) CHECK_OK(b.store.head(b.key));
  b.inner.script = std::vector<Error>(10000, kPassing);
  CHECK_EQ(calls_in_an_outage(b, 1000), 1035U);  // and no fuller than at first
}

void a_repetition_that_worked_is_paid_back() {
  Bench b;
  for (int i = 0; i < 100; ++i) {
    b.inner.calls = 0;
    b.inner.script = {kPassing};
    CHECK_OK(b.store.head(b.key));
  }
  CHECK_EQ(b.pauses.size(), 100U);
}

void one_purse_pays_for_all_calls_to_a_store() {
  Bench b;
  const auto purse = std::make_shared<RetryQuota>();
  const RetryTools tools{[](milliseconds) {}, [] { return 0.0; }};
  Retrier first(RetryPolicy{}, tools, purse);
  Retrier second(RetryPolicy{}, tools, purse);
  for (int i = 0; i < 35; ++i) CHECK(first.pause_before_next(1, kPassing) > 0);
  CHECK_EQ(second.pause_before_next(1, kPassing), 0U);
  first.succeeded(14);
  CHECK_EQ(second.pause_before_next(1, kPassing), 14U);
}

void a_planned_pause_is_not_slept() {
  std::vector<milliseconds> slept;
  Retrier retrier(RetryPolicy{}, {[&slept](milliseconds time) { slept.push_back(time); }, [] { return 1.0; }});
  const auto pause = retrier.plan_next(2, asking(milliseconds(3000)));
  CHECK(pause && pause->time == milliseconds(3000) && pause->paid == 14);
  CHECK(slept.empty());
  CHECK(!retrier.plan_next(3, kPassing));
  CHECK(!retrier.plan_next(1, kLasting));
}

void of_many_removals_only_those_that_may_pass_are_repeated() {
  Bench b;
  const std::vector<ObjectKey> keys{CHECK_OK(ObjectKey::parse("a")), CHECK_OK(ObjectKey::parse("b")),
                                    CHECK_OK(ObjectKey::parse("c"))};
  b.inner.script = {kPassing, kLasting, kThrottled};
  const std::vector<Status> outcomes = b.store.remove_many(keys);
  CHECK(outcomes[0] && !outcomes[1] && outcomes[2]);
  CHECK_EQ(outcomes[1].error().detail, "lasting");
  CHECK_EQ(b.inner.calls, 5U);
  CHECK_EQ(b.pauses.size(), 1U);
  CHECK_EQ(b.pauses[0].count(), 1000);

  b.inner.calls = 0;
  b.inner.script = std::vector<Error>(100, kPassing);
  for (const Status& status : b.store.remove_many(keys)) CHECK(!status);
  CHECK_EQ(b.inner.calls, 9U);
  CHECK(b.store.remove_many({}).empty());
}

void a_read_that_sent_nothing_is_repeated() {
  Bench b;
  StringSink sink;
  b.inner.script = {kPassing};
  CHECK_OK(b.store.get(b.key, {0, 5}, sink));
  CHECK_EQ(sink.text, "whole");
  CHECK_EQ(b.inner.calls, 2U);
}

void a_read_that_sent_bytes_is_not_repeated() {
  Bench b;
  StringSink sink;
  b.inner.script = {kPassing};
  b.inner.sent_before_failing = "wh";
  const Status status = b.store.get(b.key, {0, 5}, sink);
  CHECK(!status);
  CHECK(!status.error().retryable);  // nor may anybody above repeat it
  CHECK_EQ(sink.text, "wh");
  CHECK_EQ(b.inner.calls, 1U);
}

void real_randomness_stays_within_its_bounds() {
  const RetryTools tools = system_retry_tools();
  double lowest = 1;
  double highest = 0;
  for (int i = 0; i < 1000; ++i) {
    const double x = tools.random();
    lowest = std::min(lowest, x);
    highest = std::max(highest, x);
  }
  CHECK(lowest >= 0 && lowest < 0.1);
  CHECK(highest < 1 && highest > 0.9);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      CASE(a_call_that_works_is_made_once),
      CASE(a_passing_fault_is_repeated_until_it_has_passed),
      CASE(every_operation_but_ready_is_repeated),
      CASE(the_third_failure_is_the_last_and_is_returned),
      CASE(a_lasting_fault_is_not_repeated),
      CASE(pauses_double_up_to_the_cap_and_shrink_by_chance),
      CASE(a_throttling_store_gets_a_longer_pause),
      CASE(a_pause_that_the_store_asks_for_is_kept_within_reason),
      CASE(an_outage_does_not_multiply_the_load),
      CASE(the_purse_fills_again_by_successes),
      CASE(a_repetition_that_worked_is_paid_back),
      CASE(of_many_removals_only_those_that_may_pass_are_repeated),
      CASE(a_read_that_sent_nothing_is_repeated),
      CASE(a_read_that_sent_bytes_is_not_repeated),
      CASE(real_randomness_stays_within_its_bounds),
      CASE(one_purse_pays_for_all_calls_to_a_store),
      CASE(a_planned_pause_is_not_slept),
  };
  return RUN_TESTS("retry", tests);
}

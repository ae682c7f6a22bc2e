// guarded_test.cc — a store behind breaker and bulkhead: what is asked, what is refused at once, what other processes
// see.
#include "storage/guarded.h"

#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "check.h"
#include "fake/store.h"

using namespace cloakroom;

namespace {

constexpr std::chrono::milliseconds kPatience{2000};
const Error kAway{Errc::kStore, "connection refused", {}, true};

struct StringSink final : ByteSink {
  std::string text;
  Status write(std::span<const std::byte> bytes) override {
    text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return Ok{};
  }
};

struct Bench {
  SharedScoreboard board;
  std::int64_t now = 10000;
  int waits = 0;
  std::function<void()> while_waiting = [] {};
  fake::Journal journal;
  fake::FakeStore inner{StoreKind::kS3, &journal};
  Breaker breaker{board->s3_breaker, BreakerPolicy{}, {[this] { return now; }, [] { return 1.0; }}};
  Bulkhead bulkhead{board->s3_calls,
                    2,
                    kPatience,
                    {[this] { return now; },
                     [this] {
                       ++waits;
                       now += 100;
                       while_waiting();
                     }}};
  CallGuard guard{{"the store", Errc::kStoreAway, [this] { return inner.ready(); }}, breaker, bulkhead};
  GuardedStore store{inner, guard};
  ObjectKey key = CHECK_OK(ObjectKey::parse("k"));

  Bench() { set_log_level(Level::kError); }
  Status ask() { return store.remove(key); }
  void open() {
    for (int i = 0; i < 3; ++i) {
      inner.failures.fail(1, kAway);
      CHECK_ERR(ask(), Errc::kStore);
    }
    journal.clear();
  }
  void occupy(std::size_t slot, pid_t pid = 1) { board->s3_calls.holders[slot] = pid; }
};

std::size_t places_taken(Bench& b) {
  std::size_t taken = 0;
  for (const auto& holder : b.board->s3_calls.holders) taken += holder.load() != 0 ? 1 : 0;
  return taken;
}

}  // namespace

static void calls_pass_and_their_answers_come_back() {
  Bench b;
  CHECK_OK(b.store.put(b.key, {}, {}));
  CHECK_EQ(CHECK_OK(b.store.head(b.key)).size_bytes, 0u);
  StringSink sink;
  CHECK_OK(b.store.get(b.key, {0, 0}, sink));
  CHECK_OK(b.store.remove(b.key));
  CHECK_ERR(b.store.head(b.key), Errc::kNotFound);
  const fake::Journal wanted{"put", "head", "get", "remove", "head"};
  CHECK(b.journal == wanted);
  CHECK_EQ(places_taken(b), 0u);
  CHECK(b.store.kind() == StoreKind::kS3);
}

static void a_store_given_up_is_not_asked() {
  Bench b;
  b.open();
  for (int i = 0; i < 50; ++i) {
    CHECK_ERR(b.ask(), Errc::kStoreAway);
    CHECK_ERR(b.store.admits(), Errc::kStoreAway);
  }
  const auto outcome = b.store.put(b.key, {}, {});
  CHECK(!outcome && outcome.error().code == Errc::kStoreAway && outcome.error().retryable);
  CHECK(b.journal.empty());
  CHECK_EQ(places_taken(b), 0u);
}

static void a_probe_asks_the_cheap_question_before_the_call() {
  Bench b;
  b.open();
  b.now += 5000;
  CHECK_OK(b.store.admits());
  b.inner.failures.fail(1, kAway);
  CHECK_ERR(b.ask(), Errc::kStoreAway);
  const fake::Journal only_asked{"store_ready"};
  CHECK(b.journal == only_asked);
  b.now += 5000;
  CHECK_OK(b.ask());
  const fake::Journal back{"store_ready", "store_ready", "remove"};
  CHECK(b.journal == back);
  CHECK_OK(b.ask());
  CHECK_EQ(b.journal.size(), 4u);
}

static void readyz_asks_the_store_itself_and_brings_it_back() {
  Bench b;
  b.open();
  b.inner.failures.fail(1, kAway);
  CHECK_ERR(b.store.ready(), Errc::kStore);
  CHECK_ERR(b.ask(), Errc::kStoreAway);
  CHECK_OK(b.store.ready());
  CHECK_OK(b.ask());
}

static void readyz_alone_gives_a_store_up() {
  Bench b;
  for (int i = 0; i < 3; ++i) {
    b.inner.failures.fail(1, kAway);
    CHECK_ERR(b.store.ready(), Errc::kStore);
  }
  CHECK_ERR(b.ask(), Errc::kStoreAway);
}

static void when_all_places_hang_the_next_is_refused_at_once() {
  Bench b;
  b.occupy(0);
  b.occupy(1);
  b.board->s3_calls.moved_at = b.now - kPatience.count();
  CHECK_ERR(b.ask(), Errc::kStoreAway);
  CHECK_ERR(b.store.admits(), Errc::kStoreAway);
  CHECK_ERR(b.store.ready(), Errc::kStoreAway);
  CHECK_EQ(b.waits, 0);
  CHECK(b.journal.empty());
}

static void who_comes_before_that_waits_no_longer_than_the_others_get_on() {
  Bench b;
  b.occupy(0);
  b.occupy(1);
  b.bulkhead.moved();
  CHECK_OK(b.store.admits());
  CHECK_ERR(b.ask(), Errc::kStoreAway);
  CHECK_EQ(b.waits, 20);  // of 100 ms
}

static void a_busy_store_is_queued_for() {
  Bench b;
  b.occupy(0);
  b.occupy(1);
  b.bulkhead.moved();
  b.while_waiting = [&b] {
    b.bulkhead.moved();  // bytes of the others
    if (b.waits == 100) b.occupy(1, 0);
  };
  CHECK_OK(b.ask());
  CHECK_EQ(b.waits, 100);
}

static void a_busy_store_is_ready_without_being_asked() {
  Bench b;
  b.occupy(0);
  b.occupy(1);
  b.bulkhead.moved();
  CHECK_OK(b.store.ready());
  CHECK(b.journal.empty());
}

static void bytes_that_come_are_a_sign_of_life() {
  Bench b;
  CHECK_OK(b.inner.memory.put(b.key, {}, {}));
  struct Watch final : ByteSink {
    Bench& bench;
    explicit Watch(Bench& b) : bench(b) {}
    Status write(std::span<const std::byte>) override {
      CHECK(!bench.bulkhead.is_still());
      return Ok{};
    }
  };
  struct Slow final : BlobStore {
    Bench& bench;
    explicit Slow(Bench& b) : bench(b) {}
    StoreKind kind() const override { return StoreKind::kS3; }
    Status prepare() override { return Ok{}; }
    Status ready() override { return Ok{}; }
    Result<Sha256Digest> put(const ObjectKey&, const FileRange&, const ObjectMeta&) override { return Sha256Digest{}; }
    Result<ObjectInfo> head(const ObjectKey&) override { return ObjectInfo{}; }
    Status get(const ObjectKey&, const ByteRange&, ByteSink& sink) override {
      bench.now += 60000;
      return sink.write({});
    }
    Status remove(const ObjectKey&) override { return Ok{}; }
    Status copy(const ObjectKey&, const ObjectKey&, const ObjectMeta&) override { return Ok{}; }
  } slow(b);
  CallGuard guard({"the store", Errc::kStoreAway, [&slow] { return slow.ready(); }}, b.breaker, b.bulkhead);
  GuardedStore store(slow, guard);
  Watch watch(b);
  CHECK_OK(store.get(b.key, {0, 1}, watch));
}

static void a_child_that_died_inside_loses_its_place() {
  for (const bool was_silent : {false, true}) {
    Bench b;
    const pid_t child = ::fork();
    if (child == 0) {
      const auto place = b.bulkhead.try_enter();
      if (was_silent) b.bulkhead.silent(true);
      ::_exit(place ? 0 : 1);  // as kill -9: no destructor
    }
    int status = 1;
    ::waitpid(child, &status, 0);
    CHECK_EQ(status, 0);
    CHECK_EQ(places_taken(b), 1u);  // seen by another process
    b.board->s3_calls.forget(child + 1);
    CHECK_EQ(places_taken(b), 1u);
    b.board->s3_calls.forget(child);
    CHECK_EQ(places_taken(b), 0u);
  }
}

// Two of another process, the first of which copies and says nothing for a minute.
static void occupy_in_silence(Bench& b) {
  b.occupy(0, -1);
  b.occupy(1);
  b.bulkhead.moved();
}

static void a_call_that_is_silent_by_nature_is_waited_for_while_the_store_answers() {
  Bench b;
  occupy_in_silence(b);
  b.while_waiting = [&b] {
    if (b.waits == 600) b.occupy(0, 0);
  };
  CHECK_OK(b.ask());
  CHECK_EQ(b.waits, 600);  // of 100 ms: it is still occupied
  CHECK_EQ(b.journal.size(), 30u);
  CHECK_EQ(b.journal.front(), "store_ready");  // asked once in the time of patience
  CHECK_EQ(b.journal.back(), "remove");
}

static void where_all_are_silent_one_more_is_let_in_if_the_store_answers() {
  Bench b;
  b.occupy(0, -1);
  b.occupy(1, -2);
  CHECK_OK(b.ask());
  CHECK(b.journal == (fake::Journal{"store_ready", "remove"}));
  CHECK_EQ(b.waits, 0);
  CHECK_EQ(places_taken(b), 2u);
  b.inner.failures.fail(1, kAway);
  CHECK_ERR(b.ask(), Errc::kStoreAway);
  CHECK_EQ(places_taken(b), 2u);
  CHECK(b.breaker.is_open());  // whoever comes next does not ask again
  b.breaker.note(Ok{});
  b.occupy(2);  // that one, of another process: two more are too many
  b.bulkhead.moved();
  b.while_waiting = [&b] {
    b.bulkhead.moved();
    if (b.waits == 50) b.occupy(2, 0);
  };
  CHECK_OK(b.ask());
  CHECK_EQ(b.waits, 50);
  b.occupy(2);
  b.while_waiting = [] {};
  b.journal.clear();
  b.inner.failures.fail(1, kAway);
  CHECK_ERR(b.ask(), Errc::kStoreAway);
  CHECK(b.journal == fake::Journal{"store_ready"});
}

static void the_one_more_may_be_silent_too() {
  Bench b;
  b.occupy(0, -1);
  b.occupy(1, -2);
  const auto place = b.bulkhead.enter([] { return true; });
  CHECK(place);
  b.bulkhead.silent(true);
  CHECK_EQ(b.board->s3_calls.holders[2].load(), -::getpid());
  b.bulkhead.silent(false);
}

static void a_store_that_does_not_answer_beside_a_silent_call_stands_still() {
  Bench b;
  occupy_in_silence(b);
  b.inner.failures.fail(1, kAway);
  CHECK_ERR(b.ask(), Errc::kStoreAway);
  CHECK_EQ(b.waits, 20);
  CHECK(b.journal == fake::Journal{"store_ready"});
}

static void a_refusal_beside_a_silent_call_is_an_answer() {
  Bench b;
  occupy_in_silence(b);
  b.inner.failures.fail(1, {Errc::kStore, "403", {}, false});
  b.while_waiting = [&b] {
    if (b.waits == 25) b.occupy(0, 0);
  };
  CHECK_OK(b.ask());
}

static void a_silent_call_refuses_nobody_without_a_question() {
  Bench b;
  occupy_in_silence(b);
  b.now += 60000;
  CHECK_OK(b.store.admits());
  CHECK(b.journal.empty());
  CHECK_OK(b.store.ready());
  CHECK(b.journal == fake::Journal{"store_ready"});
  b.inner.failures.fail(1, kAway);
  CHECK_ERR(b.store.ready(), Errc::kStore);
  b.occupy(0);  // it has its answer by now, and the body does not come
  CHECK_ERR(b.store.admits(), Errc::kStoreAway);
}

static void silence_belongs_to_the_place_and_ends_with_it() {
  Bench b;
  b.bulkhead.silent(true);  // holds no place
  CHECK(!b.bulkhead.has_silent());
  {
    const auto place = b.bulkhead.try_enter();
    b.bulkhead.silent(true);
    CHECK(b.bulkhead.has_silent());
    b.now += 60000;
    b.bulkhead.silent(false);
    CHECK(!b.bulkhead.has_silent() && !b.bulkhead.is_still());
    b.bulkhead.silent(true);
  }
  CHECK(!b.bulkhead.has_silent());
  CHECK_EQ(places_taken(b), 0u);
}

static void a_quarter_of_the_workers_and_at_least_one_stays_free() {
  CHECK_EQ(most_calls_at_once(1), 1u);
  CHECK_EQ(most_calls_at_once(2), 1u);
  CHECK_EQ(most_calls_at_once(4), 3u);
  CHECK_EQ(most_calls_at_once(16), 12u);
  CHECK_EQ(most_calls_at_once(256), 192u);
}

int main() {
  const CMUnitTest tests[] = {
      CASE(calls_pass_and_their_answers_come_back),
      CASE(a_store_given_up_is_not_asked),
      CASE(a_probe_asks_the_cheap_question_before_the_call),
      CASE(readyz_asks_the_store_itself_and_brings_it_back),
      CASE(readyz_alone_gives_a_store_up),
      CASE(when_all_places_hang_the_next_is_refused_at_once),
      CASE(who_comes_before_that_waits_no_longer_than_the_others_get_on),
      CASE(a_busy_store_is_queued_for),
      CASE(a_busy_store_is_ready_without_being_asked),
      CASE(bytes_that_come_are_a_sign_of_life),
      CASE(a_child_that_died_inside_loses_its_place),
      CASE(a_call_that_is_silent_by_nature_is_waited_for_while_the_store_answers),
      CASE(where_all_are_silent_one_more_is_let_in_if_the_store_answers),
      CASE(the_one_more_may_be_silent_too),
      CASE(a_store_that_does_not_answer_beside_a_silent_call_stands_still),
      CASE(a_refusal_beside_a_silent_call_is_an_answer),
      CASE(a_silent_call_refuses_nobody_without_a_question),
      CASE(silence_belongs_to_the_place_and_ends_with_it),
      CASE(a_quarter_of_the_workers_and_at_least_one_stays_free),
  };
  return RUN_TESTS("guarded", tests);
}

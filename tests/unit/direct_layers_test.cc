// direct_layers_test.cc — calls of direct uploads behind the store's own retries, breaker and bulkhead.
#include "storage/direct_layers.h"

#include <string>
#include <vector>

#include "base/log.h"
#include "check.h"
#include "fake/direct.h"
#include "fake/store.h"
#include "storage/guarded.h"

using namespace cloakroom;  // NOLINT: a test

namespace {

const Error kAway{Errc::kStore, "connection refused", {}, true};
const Error kRepeated{.code = Errc::kStore, .detail = "reset", .retryable = true, .was_repeated = true};
const Error kSlow{Errc::kStore, "slow down", {}, true, true};

struct Bench {
  SharedScoreboard board;
  std::int64_t now = 10000;
  fake::Journal journal;
  fake::FakeStore blobs{StoreKind::kS3, &journal};
  fake::FakeDirectStore inner{&journal};
  std::vector<std::chrono::milliseconds> pauses;
  Breaker breaker{board->s3_breaker, BreakerPolicy{}, {[this] { return now; }, [] { return 1.0; }}};
  Bulkhead bulkhead{
      board->s3_calls, 1, std::chrono::milliseconds(2000), {[this] { return now; }, [this] { now += 100; }}};
  CallGuard guard{{"the store", Errc::kStoreAway, [this] { return blobs.ready(); }}, breaker, bulkhead};
  GuardedStore store{blobs, guard};
  RetryingDirectStore retrying{
      inner,
      Retrier(RetryPolicy{}, {[this](std::chrono::milliseconds time) { pauses.push_back(time); }, [] { return 1.0; }})};
  GuardedDirectStore direct{retrying, guard};
  ObjectKey key = CHECK_OK(ObjectKey::parse("quarantine/a"));
  DirectObject object{key, 30};
  PartsRef parts{key, "upload-1"};

  Bench() { set_log_level(Level::kError); }
  // Every call that asks the store.
  std::vector<std::function<Status()>> calls() {
    return {[this]() -> Status {
              TRY(direct.begin_parts(object));
              return Ok{};
            },
            [this] { return direct.finish_parts(parts, {}, 30); }, [this] { return direct.abort_parts(parts); }};
  }
};

void what_fails_in_passing_is_repeated_and_what_lasts_is_not() {
  for (std::size_t i = 0; i < 3; ++i) {
    Bench b;
    b.inner.failures.fail(1, kSlow);
    CHECK_OK(b.calls()[i]());
    CHECK_EQ(b.journal.size(), 2u);
    CHECK_EQ(b.pauses.front().count(), 1000);
    b.inner.failures.fail(1, {Errc::kConflict, "no such part"});
    CHECK_ERR(b.calls()[i](), Errc::kConflict);
    CHECK_EQ(b.journal.size(), 3u);
  }
}

void failures_of_direct_calls_give_the_store_up_for_all() {
  for (std::size_t i = 0; i < 3; ++i) {
    Bench b;
    for (int call = 0; call < 3; ++call) {
      b.inner.failures.fail(1, kRepeated);
      CHECK_ERR(b.calls()[i](), Errc::kStore);
    }
    b.journal.clear();
    CHECK_ERR(b.store.remove(b.key), Errc::kStoreAway);
    for (const auto& call : b.calls()) CHECK_ERR(call(), Errc::kStoreAway);
    CHECK(b.journal.empty());
  }
}

void a_direct_call_may_be_the_probe_and_brings_the_store_back() {
  Bench b;
  for (int i = 0; i < 3; ++i) {
    b.blobs.failures.fail(1, kAway);
    CHECK_ERR(b.store.remove(b.key), Errc::kStore);
  }
  CHECK_ERR(b.direct.begin_parts(b.object), Errc::kStoreAway);
  b.now += 5000;
  b.journal.clear();
  CHECK_OK(b.direct.begin_parts(b.object));
  CHECK(b.journal == (fake::Journal{"store_ready", "begin_parts"}));
  CHECK_OK(b.store.remove(b.key));
}

void a_direct_call_takes_a_place_and_gives_it_back() {
  Bench b;
  struct Looking final : DirectStore {
    Bench& bench;
    explicit Looking(Bench& of) : bench(of) {}
    Status look() const {
      CHECK(bench.board->s3_calls.holders[0].load() != 0);
      return Ok{};
    }
    Result<BrowserRequest> sign_upload(const DirectObject&, std::chrono::seconds) override { return BrowserRequest{}; }
    Result<BrowserRequest> sign_part(const PartsRef&, const PartOf&, std::chrono::seconds) override {
      return BrowserRequest{};
    }
    Result<std::string> begin_parts(const DirectObject&) override {
      TRY(look());
      return std::string("id");
    }
    Status finish_parts(const PartsRef&, std::span<const UploadedPart>, std::uint64_t) override { return look(); }
    Status abort_parts(const PartsRef&) override { return look(); }
  } looking(b);
  GuardedDirectStore direct(looking, b.guard);
  CHECK_OK(direct.begin_parts(b.object));
  CHECK_OK(direct.finish_parts(b.parts, {}, 30));
  CHECK_OK(direct.abort_parts(b.parts));
  CHECK_EQ(b.board->s3_calls.holders[0].load(), 0);
}

void where_all_places_hang_a_direct_call_is_refused() {
  Bench b;
  b.board->s3_calls.holders[0] = 1;
  b.board->s3_calls.moved_at = b.now - 2000;
  for (const auto& call : b.calls()) CHECK_ERR(call(), Errc::kStoreAway);
  CHECK(b.journal.empty());
}

void what_only_signs_asks_nobody() {
  Bench b;
  b.board->s3_breaker.open_until = b.now + 60000;
  CHECK_OK(b.direct.sign_upload(b.object, std::chrono::seconds(60)));
  CHECK_OK(b.direct.sign_part(b.parts, {1, 5}, std::chrono::seconds(60)));
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      CASE(what_fails_in_passing_is_repeated_and_what_lasts_is_not),
      CASE(failures_of_direct_calls_give_the_store_up_for_all),
      CASE(a_direct_call_may_be_the_probe_and_brings_the_store_back),
      CASE(a_direct_call_takes_a_place_and_gives_it_back),
      CASE(where_all_places_hang_a_direct_call_is_refused),
      CASE(what_only_signs_asks_nobody),
  };
  return RUN_TESTS("direct_layers", tests);
}

// fallback_test.cc — uploads while the store is away: kept in the second place, with a job that moves them, or refused.
#include "domain/fallback.h"

#include <sys/mman.h>

#include "base/log.h"
#include "check.h"
#include "domain/upload.h"
#include "fake/clock.h"
#include "fake/rows.h"
#include "fake/sniffer.h"
#include "fake/store.h"

using namespace cloakroom;

namespace {

const Error kDown{Errc::kStore, "connection refused", {}, true};
const Error kGivenUp{Errc::kStoreAway, "given up", {}, true};

// The far store does not even admit a put when told so.
struct FarStore final : BlobStore {
  fake::FakeStore inner;
  bool admitting = true;
  explicit FarStore(fake::Journal* journal) : inner(StoreKind::kS3, journal) {}
  StoreKind kind() const override { return StoreKind::kS3; }
  Status prepare() override { return inner.prepare(); }
  Status ready() override { return inner.ready(); }
  Status admits() override { return admitting ? Status(Ok{}) : Status(kGivenUp); }
  Result<Sha256Digest> put(const ObjectKey& key, const FileRange& bytes, const ObjectMeta& meta) override {
    return inner.put(key, bytes, meta);
  }
  Result<ObjectInfo> head(const ObjectKey& key) override { return inner.head(key); }
  Status get(const ObjectKey& key, const ByteRange& range, ByteSink& sink) override {
    return inner.get(key, range, sink);
  }
  Status remove(const ObjectKey& key) override { return inner.remove(key); }
  Status copy(const ObjectKey& from, const ObjectKey& to, const ObjectMeta& meta) override {
    return inner.copy(from, to, meta);
  }
};

struct World {
  fake::Journal journal;
  fake::FakeRows rows{&journal};
  FarStore far{&journal};
  fake::FakeStore near{StoreKind::kLocal, &journal};
  fake::FakeSniffer sniffer;
  fake::FixedClock clock;
  UniqueFd body{::memfd_create("body", MFD_CLOEXEC)};
  UploadRequest request{.caller = {Caller::Kind::kUser, "alice"}, .dialog_id = {}, .files = {}};
  UploadRules rules{.keys = {"pre/", KeyNaming::kFanout},
                    .max_file_bytes = 10,
                    .allowed_types = {},
                    .object_cache_control = {},
                    .orphan_grace = std::chrono::seconds(3600)};
  Fallback fallback{&near, {kept_prefix("web1") + "pre/", KeyNaming::kFanout}};

  World() {
    set_log_level(Level::kError);
    CHECK_OK(write_all(body.get(), std::as_bytes(std::span(std::string_view("onetwo")))));
    request.files = {{"a", {body.get(), 0, 3, {}}}, {"b", {body.get(), 3, 3, {}}}};
  }
  Result<std::vector<Attachment>> take() { return Uploads(rows, far, sniffer, clock, rules, fallback).take(request); }
};

}  // namespace

static void while_the_store_works_nothing_is_kept_aside() {
  World w;
  for (const Attachment& a : CHECK_OK(w.take())) CHECK(a.store == StoreKind::kS3 && a.key.starts_with("pre/"));
  CHECK(w.near.memory.objects().empty() && w.rows.to_be_moved.empty());
}

static void a_store_given_up_is_passed_over_without_a_trace() {
  World w;
  w.far.admitting = false;
  const auto made = CHECK_OK(w.take());
  const fake::Journal wanted{"plan_deletions", "put", "put", "commit_upload"};
  CHECK(w.journal == wanted);
  for (const Attachment& a : made) {
    CHECK(a.store == StoreKind::kLocal && a.key.starts_with(".kept/web1/pre/"));
    CHECK_EQ(w.near.memory.objects().count(a.key), 1u);
  }
  CHECK(made[0].sha256 == sha256("one") && made[1].sha256 == sha256("two"));
  CHECK_EQ(w.rows.to_be_moved.size(), 2u);
  CHECK(w.rows.deletions.empty());
  CHECK_EQ(w.rows.attachments.size(), 2u);
}

static void a_store_that_fails_at_the_second_file_gets_none() {
  for (const Error& away : {kDown, kGivenUp}) {
    World w;
    w.far.inner.failures.fail(2, away);
    const auto made = CHECK_OK(w.take());
    CHECK(made[0].store == StoreKind::kLocal && made[1].store == StoreKind::kLocal);
    CHECK_EQ(w.near.memory.objects().size(), 2u);
    // what the store has of it goes; what it may still finish goes later
    CHECK_EQ(w.rows.deletions.size(), 2u);
    for (const auto& [id, deletion] : w.rows.deletions) {
      CHECK(deletion.store == StoreKind::kS3);
      CHECK_EQ(deletion.grace.count(), away.code == Errc::kStore ? 3600 : 0);
    }
  }
}

static void what_moves_to_the_second_place_is_paid_once() {
  const RateSet rates{};
  World w;
  w.request.claim.spenders = {{"u:alice", &rates}};
  w.far.inner.failures.fail(1, kDown);
  CHECK_OK(w.take());
  CHECK(w.rows.spent == std::vector<std::string>{"uploads u:alice"});
}

static void without_a_fallback_a_store_that_is_away_is_an_error() {
  World w;
  w.fallback = {};
  w.far.admitting = false;
  CHECK_ERR(w.take(), Errc::kStoreAway);
  CHECK(w.journal.empty());
  w.far.admitting = true;
  w.far.inner.failures.fail(1, kDown);
  CHECK_ERR(w.take(), Errc::kStore);
}

// Wrong credentials are not an outage: kept aside, files would wait for ever.
static void a_store_that_says_no_is_an_error() {
  for (const Error& no : {Error{Errc::kStore, "store answered 403"}, Error{Errc::kDiskFull, "quota"}}) {
    World w;
    w.far.inner.failures.fail(1, no);
    CHECK_ERR(w.take(), no.code);
    CHECK(w.near.memory.objects().empty() && w.rows.attachments.empty());
  }
}

static void when_the_disk_is_full_too_nothing_is_kept() {
  World w;
  w.far.admitting = false;
  w.near.failures.fail(2, {Errc::kDiskFull, "full"});
  CHECK_ERR(w.take(), Errc::kDiskFull);
  CHECK(w.rows.attachments.empty() && w.rows.to_be_moved.empty());
  CHECK_EQ(w.rows.deletions.size(), 2u);
  for (const auto& [id, deletion] : w.rows.deletions)
    CHECK(deletion.store == StoreKind::kLocal && deletion.grace.count() == 0);
}

static void a_commit_that_fails_is_not_tried_elsewhere() {
  World w;
  w.rows.failures.fail(2, {Errc::kDatabase, "away", {}, true});
  CHECK_ERR(w.take(), Errc::kDatabase);
  CHECK(w.near.memory.objects().empty());
}

int main() {
  const CMUnitTest tests[] = {
      CASE(while_the_store_works_nothing_is_kept_aside),         CASE(a_store_given_up_is_passed_over_without_a_trace),
      CASE(a_store_that_fails_at_the_second_file_gets_none),     CASE(what_moves_to_the_second_place_is_paid_once),
      CASE(without_a_fallback_a_store_that_is_away_is_an_error), CASE(a_store_that_says_no_is_an_error),
      CASE(when_the_disk_is_full_too_nothing_is_kept),           CASE(a_commit_that_fails_is_not_tried_elsewhere),
  };
  return RUN_TESTS("fallback", tests);
}

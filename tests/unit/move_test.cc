// move_test.cc — the move of a kept file: its order, every step that may fail, and whoever comes in between.
#include "domain/move.h"

#include <sys/mman.h>

#include "check.h"
#include "fake/clock.h"
#include "fake/rows.h"
#include "fake/store.h"
#include "jobs/move_object.h"

using namespace cloakroom;

namespace {

// Something else happens while the bytes are on their way.
struct Target final : BlobStore {
  fake::FakeStore inner;
  std::function<void()> during_put = [] {};
  std::uint64_t lost_bytes = 0;
  explicit Target(fake::Journal* journal) : inner(StoreKind::kS3, journal) {}
  StoreKind kind() const override { return StoreKind::kS3; }
  Status prepare() override { return inner.prepare(); }
  Status ready() override { return inner.ready(); }
  Result<Sha256Digest> put(const ObjectKey& key, const FileRange& bytes, const ObjectMeta& meta) override {
    during_put();
    return inner.put(key, bytes, meta);
  }
  Result<ObjectInfo> head(const ObjectKey& key) override {
    TRY_ASSIGN(auto info, inner.head(key));
    info.size_bytes -= lost_bytes;
    return info;
  }
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
  Target target{&journal};
  fake::FixedClock clock;
  bool lost = false;
  std::string bytes = "kept bytes";
  ObjectKey from = CHECK_OK(ObjectKey::parse(".kept/web1/aa/original"));
  Mover mover{rows,
              target,
              [this](const ObjectKey& key) { return open(key); },
              clock,
              {.keys = {"pre/", KeyNaming::kFanout},
               .copy = {.object_cache_control = "public",
                        .stored_headers = [](const Attachment& a) -> StoredHeaders {
                          return {a.mime_type, "inline; filename=" + a.filename};
                        }},
               .orphan_grace = std::chrono::seconds(3600),
               .linger = std::chrono::seconds(10)}};

  World() {
    Attachment a;
    a.id = make_uuid7(clock.now());
    a.filename = "a.txt";
    a.mime_type = "text/plain";
    a.size_bytes = bytes.size();
    a.sha256 = sha256(bytes);
    a.store = StoreKind::kLocal;
    a.key = from.str();
    rows.attachments.push_back(a);
  }
  Result<UniqueFd> open(const ObjectKey& key) {
    CHECK(key == from);
    if (lost) return Error{Errc::kNotFound, "no such file"};
    UniqueFd fd(::memfd_create("kept", MFD_CLOEXEC));
    CHECK_OK(write_all(fd.get(), std::as_bytes(std::span(bytes))));
    return fd;
  }
  const Attachment& row() const { return rows.attachments.front(); }
  Status move() { return mover.move(row().id, from); }
  void check_nothing_changed() {
    CHECK(row().store == StoreKind::kLocal && row().key == from.str());
    for (const auto& [id, deletion] : rows.deletions) CHECK(deletion.store == StoreKind::kS3);
    // each copy that was left has its ticket
    for (const auto& [key, object] : target.inner.memory.objects()) {
      bool planned = false;
      for (const auto& [id, deletion] : rows.deletions) planned = planned || deletion.key == key;
      CHECK(planned);
    }
  }
};

}  // namespace

static void the_ticket_comes_first_and_the_row_last() {
  World w;
  CHECK_OK(w.move());
  const fake::Journal wanted{"find", "store_ready", "plan_deletions", "put", "head", "switch_object"};
  CHECK(w.journal == wanted);
  CHECK(w.row().store == StoreKind::kS3 && w.row().key.starts_with("pre/"));
  const auto& object = w.target.inner.memory.objects().at(w.row().key);
  CHECK_EQ(std::string_view(reinterpret_cast<const char*>(object.bytes.data()), object.bytes.size()), w.bytes);
  CHECK(object.meta.content_type == "text/plain" && object.meta.attachment_id == to_string(w.row().id));
  CHECK(object.meta.cache_control == "public" && object.meta.content_disposition == "inline; filename=a.txt");
  // the original stays for those who have just read the row
  CHECK_EQ(w.rows.deletions.size(), 1u);
  const auto& original = w.rows.deletions.begin()->second;
  CHECK(original.store == StoreKind::kLocal && original.key == w.from.str() && original.grace.count() == 10);
}

static void a_second_run_does_nothing() {
  World w;
  CHECK_OK(w.move());
  w.journal.clear();
  CHECK_OK(w.move());
  const fake::Journal only_looked{"find"};
  CHECK(w.journal == only_looked);
}

static void a_row_that_was_deleted_needs_no_move() {
  World w;
  const Uuid id = w.row().id;
  w.rows.attachments.clear();
  CHECK_OK(w.mover.move(id, w.from));
  CHECK(w.target.inner.memory.objects().empty() && w.rows.deletions.empty());
}

static void a_store_still_away_costs_one_cheap_question() {
  World w;
  w.target.inner.failures.fail(1, {Errc::kStore, "away", {}, true});
  CHECK_ERR(w.move(), Errc::kStore);
  const fake::Journal wanted{"find", "store_ready"};
  CHECK(w.journal == wanted);
  w.check_nothing_changed();
}

static void every_failing_step_leaves_the_row_and_a_ticket_for_the_copy() {
  for (const std::size_t nth : {2u, 3u}) {  // put, head
    World w;
    w.target.inner.failures.fail(nth, {Errc::kStore, "away", {}, true});
    CHECK_ERR(w.move(), Errc::kStore);
    w.check_nothing_changed();
    CHECK_EQ(w.rows.deletions.begin()->second.grace.count(), 3600);  // the put may still come through
    CHECK_OK(w.move());
  }
  for (const std::size_t nth : {1u, 2u, 3u}) {  // find, plan_deletions, switch_object
    World w;
    w.rows.failures.fail(nth, {Errc::kDatabase, "away", {}, true});
    CHECK_ERR(w.move(), Errc::kDatabase);
    w.check_nothing_changed();
    CHECK_OK(w.move());
  }
}

static void a_copy_of_another_size_is_not_taken() {
  World w;
  w.target.lost_bytes = 1;
  CHECK_ERR(w.move(), Errc::kStore);
  w.check_nothing_changed();
}

static void a_file_that_is_not_what_its_row_says_is_not_moved() {
  World w;
  w.bytes[0] = 'X';
  CHECK_ERR(w.move(), Errc::kInternal);
  w.check_nothing_changed();
}

static void a_lost_file_is_an_error_and_no_missing_object() {
  World w;
  w.lost = true;
  CHECK_ERR(w.move(), Errc::kInternal);
  w.check_nothing_changed();
}

static void a_row_deleted_during_the_copy_takes_the_copy_along() {
  World w;
  const Uuid id = w.row().id;
  w.target.during_put = [&] { w.rows.attachments.clear(); };
  CHECK_ERR(w.mover.move(id, w.from), Errc::kConflict);
  CHECK_EQ(w.target.inner.memory.objects().size(), 1u);
  const std::string copy = w.target.inner.memory.objects().begin()->first;
  for (const auto& [ticket, deletion] : w.rows.deletions) CHECK(deletion.key == copy && deletion.grace.count() == 0);
  CHECK(!w.rows.deletions.empty());
  CHECK_OK(w.mover.move(id, w.from));
}

static void of_two_at_once_one_wins_and_the_other_deletes_only_its_own_copy() {
  World w;
  bool first = true;
  w.target.during_put = [&] {
    if (std::exchange(first, false)) CHECK_OK(w.move());  // another runner is faster
  };
  CHECK_ERR(w.move(), Errc::kConflict);
  CHECK(w.row().store == StoreKind::kS3);
  CHECK_EQ(w.target.inner.memory.objects().size(), 2u);
  for (const auto& [ticket, deletion] : w.rows.deletions) CHECK(deletion.key != w.row().key);
  CHECK_OK(w.move());
}

static void the_payload_of_the_job_names_row_and_file() {
  World w;
  const JobHandler handler = move_object_handler(w.mover);
  const std::string id = to_string(w.row().id);
  Job job{.id = 1, .kind = "move_object", .payload = {}, .attempts = 1};
  for (const std::string& bad :
       {std::string("{"), std::string("{}"), R"({"id":")" + id + R"(","store":"s3","key":"k"})",
        std::string(R"({"id":"x","store":"local","key":"k"})"),
        R"({"id":")" + id + R"(","store":"local","key":"../k"})"}) {
    job.payload = bad;
    CHECK_ERR(handler(job), Errc::kInternal);
  }
  CHECK(w.journal.empty());
  job.payload = R"({"id":")" + id + R"(","store":"local","key":")" + w.from.str() + R"("})";
  CHECK_OK(handler(job));
  CHECK(w.row().store == StoreKind::kS3);
}

int main() {
  const CMUnitTest tests[] = {
      CASE(the_ticket_comes_first_and_the_row_last),
      CASE(a_second_run_does_nothing),
      CASE(a_row_that_was_deleted_needs_no_move),
      CASE(a_store_still_away_costs_one_cheap_question),
      CASE(every_failing_step_leaves_the_row_and_a_ticket_for_the_copy),
      CASE(a_copy_of_another_size_is_not_taken),
      CASE(a_file_that_is_not_what_its_row_says_is_not_moved),
      CASE(a_lost_file_is_an_error_and_no_missing_object),
      CASE(a_row_deleted_during_the_copy_takes_the_copy_along),
      CASE(of_two_at_once_one_wins_and_the_other_deletes_only_its_own_copy),
      CASE(the_payload_of_the_job_names_row_and_file),
  };
  return RUN_TESTS("move", tests);
}

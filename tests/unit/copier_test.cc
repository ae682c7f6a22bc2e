// copier_test.cc — a copy: its order, every step that may fail, and whoever comes in between.
#include "domain/copier.h"

#include "fake/clock.h"
#include "fake/copies.h"
#include "jobs/copy_object.h"

using namespace cloakroom;

namespace {

// Something else happens while the bytes are on their way.
struct Target final : BlobStore {
  fake::FakeStore& inner;
  std::function<void()> during_put = [] {};
  std::uint64_t lost_bytes = 0;
  explicit Target(fake::FakeStore& store) : inner(store) {}
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

struct World : fake::CopiedFiles {
  Target target{s3};
  fake::FixedClock clock;
  Copier copier{{.rows = rows, .copies = copies, .local = files, .target = target, .clock = clock},
                {.keys = {"pre/", KeyNaming::kFanout},
                 .copy = {.object_cache_control = "public"},
                 .orphan_grace = std::chrono::seconds(3600)}};
  Attachment& file = add("bytes of a file");

  Status copy() { return copier.copy(file.id); }
  const std::optional<CopyPlace>& place() { return copies.copies.at(to_string(file.id)).place; }
  // Not copied, and whatever was stored has a ticket.
  void check_nothing_done() {
    CHECK(!place());
    for (const auto& [key, object] : s3.memory.objects()) {
      bool planned = false;
      for (const auto& [id, deletion] : rows.deletions) planned = planned || deletion.key == key;
      CHECK(planned);
    }
  }
};

}  // namespace

static void the_ticket_comes_first_and_the_row_last() {
  World w;
  CHECK_OK(w.copy());
  const fake::Journal wanted{"find_copy",      "find", "store_ready", "look",       "open",
                             "plan_deletions", "put",  "head",        "commit_copy"};
  CHECK(w.journal == wanted);
  CHECK(w.place() && w.place()->store == StoreKind::kS3 && w.place()->key.starts_with("pre/"));
  const auto& object = w.s3.memory.objects().at(w.place()->key);
  CHECK(object.meta.content_type == "text/plain" && object.meta.cache_control == "public");
  CHECK_EQ(object.bytes.size(), w.file.size_bytes);
  CHECK(w.rows.deletions.empty());
  CHECK(w.file.store == StoreKind::kLocal);
}

static void what_needs_no_copy_is_a_success() {
  World w;
  CHECK_OK(w.copy());
  w.journal.clear();
  CHECK_OK(w.copy());  // it has one
  const Uuid plain = w.add("nobody wants one", false).id;
  CHECK_OK(w.copier.copy(plain));
  w.rows.attachments[1].store = StoreKind::kS3;
  w.copies.copies[to_string(plain)] = {};
  CHECK_OK(w.copier.copy(plain));
  w.rows.attachments.clear();
  CHECK_OK(w.copier.copy(plain));
  for (const std::string& call : w.journal) CHECK(call == "find_copy" || call == "find");
}

static void a_store_that_is_away_costs_one_cheap_question_and_is_no_fault_of_the_file() {
  World w;
  w.s3.failures.fail(1, {Errc::kStore, "away", {}, true});
  const Status done = w.copy();
  CHECK(!done && done.error().retryable);
  CHECK(w.journal.back() == "store_ready");
  w.check_nothing_done();
}

static void damaged_bytes_never_become_a_copy() {
  World w;
  w.bytes_of(w.file)[0] = 'X';
  CHECK_ERR(w.copy(), Errc::kInternal);
  w.check_nothing_done();
  for (const auto& [id, deletion] : w.rows.deletions) CHECK_EQ(deletion.grace.count(), 0);  // it goes at once
  w.bytes_of(w.file) += "more";
  w.s3.memory.objects();
  const std::size_t stored = w.s3.memory.objects().size();
  CHECK_ERR(w.copy(), Errc::kInternal);
  CHECK_EQ(w.s3.memory.objects().size(), stored);  // another size is seen before a byte is sent
  w.files.files.clear();
  CHECK_ERR(w.copy(), Errc::kInternal);
  CHECK(!w.copy().error().retryable);
  w.check_nothing_done();
}

static void every_failing_step_leaves_a_ticket_for_what_was_stored() {
  for (const std::size_t nth : {2u, 3u}) {  // put, head
    World w;
    w.s3.failures.fail(nth, {Errc::kStore, "away", {}, true});
    CHECK_ERR(w.copy(), Errc::kStore);
    w.check_nothing_done();
    CHECK_EQ(w.rows.deletions.begin()->second.grace.count(), 3600);  // the put may still come through
    CHECK_OK(w.copy());
  }
  World w;
  w.copies.failures.fail(2, {Errc::kDatabase, "away", {}, true});
  CHECK_ERR(w.copy(), Errc::kDatabase);
  w.check_nothing_done();
  World other;
  other.target.lost_bytes = 1;
  CHECK_ERR(other.copy(), Errc::kStore);
  other.check_nothing_done();
}

static void a_file_deleted_during_the_copy_takes_the_copy_along() {
  World w;
  const Uuid id = w.file.id;
  w.target.during_put = [&] {
    w.rows.attachments.clear();
    w.copies.copies.clear();
  };
  CHECK_ERR(w.copier.copy(id), Errc::kConflict);
  const std::string key = w.s3.memory.objects().begin()->first;
  CHECK(!w.rows.deletions.empty());
  for (const auto& [ticket, deletion] : w.rows.deletions) CHECK(deletion.key == key && deletion.grace.count() == 0);
  CHECK_OK(w.copier.copy(id));
}

static void of_two_at_once_one_wins_and_the_other_deletes_only_its_own() {
  World w;
  bool first = true;
  w.target.during_put = [&] {
    if (std::exchange(first, false)) CHECK_OK(w.copy());
  };
  CHECK_ERR(w.copy(), Errc::kConflict);
  CHECK_EQ(w.s3.memory.objects().size(), 2u);
  for (const auto& [ticket, deletion] : w.rows.deletions) CHECK(deletion.key != w.place()->key);
}

static void the_payload_of_the_job_names_the_file() {
  World w;
  const JobHandler handler = copy_object_handler(w.copier);
  Job job{.id = 1, .kind = "copy_object", .payload = {}, .attempts = 1};
  for (const char* bad : {"{", "{}", R"({"id":"x"})", R"({"id":7})"}) {
    job.payload = bad;
    CHECK_ERR(handler(job), Errc::kInternal);
  }
  CHECK(w.journal.empty());
  job.payload = R"({"id":")" + to_string(w.file.id) + R"("})";
  CHECK_OK(handler(job));
  CHECK(w.place().has_value());
}

int main() {
  const CMUnitTest tests[] = {
      CASE(the_ticket_comes_first_and_the_row_last),
      CASE(what_needs_no_copy_is_a_success),
      CASE(a_store_that_is_away_costs_one_cheap_question_and_is_no_fault_of_the_file),
      CASE(damaged_bytes_never_become_a_copy),
      CASE(every_failing_step_leaves_a_ticket_for_what_was_stored),
      CASE(a_file_deleted_during_the_copy_takes_the_copy_along),
      CASE(of_two_at_once_one_wins_and_the_other_deletes_only_its_own),
      CASE(the_payload_of_the_job_names_the_file),
  };
  return RUN_TESTS("copier", tests);
}

// repairs_test.cc — a damaged file: what is noticed, what a reader gets, and how it comes back.
#include "domain/repairs.h"

#include "domain/copy_metrics.h"
#include "domain/copy_reader.h"
#include "fake/copies.h"
#include "jobs/repair_object.h"

using namespace cloakroom;

namespace {

struct World : fake::CopiedFiles {
  Repairs repairs{{.copies = copies,
                   .local = files,
                   .store_of = [this](StoreKind kind) { return kind == StoreKind::kS3 ? &s3 : nullptr; },
                   .nameless = nameless()}};
  CopyReader reader{files, copies};
  Attachment& file = add("right bytes");

  World() { copy(file, "right bytes"); }
  bool is_repair_asked() { return copies.copies.at(to_string(file.id)).is_repair_asked; }
  std::string key_of_copy() { return copies.copies.at(to_string(file.id)).place->key; }
};

const Repairs::Took kNothing = [](std::size_t) { return Status(Ok{}); };

}  // namespace

static void a_file_is_as_stored_by_size_and_time() {
  Attachment row;
  row.size_bytes = 5;
  row.created_at = TimePoint(std::chrono::microseconds(1'760'000'000'123'456));
  const auto state = [](std::uint64_t size, std::int64_t nanoseconds) {
    return FileState{size, std::chrono::nanoseconds(nanoseconds)};
  };
  CHECK(is_as_stored(state(5, 1'760'000'000'123'456'000), row));
  CHECK(is_as_stored(state(5, 1'760'000'000'123'000'000), row));  // a file system of milliseconds
  CHECK(is_as_stored(state(5, 1'760'000'000'000'000'000), row));  // of seconds
  CHECK(!is_as_stored(state(4, 1'760'000'000'123'456'000), row));
  CHECK(!is_as_stored(state(5, 1'760'000'000'124'000'000), row));
  CHECK(!is_as_stored(state(5, 1'760'000'001'000'000'000), row));
  CHECK(!is_as_stored(state(5, 1'760'000'000'122'999'999), row));
}

static void a_file_that_nobody_touched_costs_its_reader_one_look() {
  World w;
  const Attachment served = w.reader.as_served(w.file);
  CHECK(served.store == StoreKind::kLocal && served.key == w.file.key);
  const fake::Journal wanted{"look"};
  CHECK(w.journal == wanted);
  Attachment elsewhere = w.file;
  elsewhere.store = StoreKind::kS3;
  CHECK(w.reader.as_served(elsewhere).key == w.file.key);
  CHECK(w.journal == wanted);
}

static void a_reader_of_a_changed_file_gets_the_copy_and_one_job_is_made() {
  for (const int way : {0, 1, 2, 3}) {
    World w;
    if (way == 0) w.files.files.clear();
    if (way == 1) w.bytes_of(w.file) += "x";
    if (way == 2) w.files.files.at(w.file.key).written_at += std::chrono::seconds(1);
    if (way == 3) w.files.failures.fail(1, {Errc::kInternal, "input/output error"});
    const Attachment served = w.reader.as_served(w.file);
    CHECK(served.store == StoreKind::kS3 && served.key == w.key_of_copy());
    CHECK(served.id == w.file.id && served.size_bytes == w.file.size_bytes && served.created_at == w.file.created_at);
    if (way < 3) CHECK(w.reader.as_served(w.file).key == w.key_of_copy());
    CHECK_EQ(w.copies.repairs.size(), 1u);
  }
}

static void without_a_copy_or_a_database_a_reader_gets_what_there_is() {
  World w;
  w.files.files.clear();
  w.copies.failures.fail(1, {Errc::kDatabase, "away", {}, true});
  CHECK(w.reader.as_served(w.file).key == w.file.key);
  w.copies.copies.at(to_string(w.file.id)).place.reset();
  CHECK(w.reader.as_served(w.file).key == w.file.key);
  CHECK(w.copies.repairs.empty());
}

static void a_lost_or_damaged_file_comes_back_with_its_time() {
  for (const int way : {0, 1, 2}) {
    World w;
    if (way == 0) w.files.files.clear();
    if (way == 1) w.bytes_of(w.file).pop_back();
    if (way == 2) w.bytes_of(w.file)[0] = 'X';
    CHECK_OK(w.copies.ask_repair(w.file.id));
    CHECK_OK(w.repairs.repair(w.file.id));
    CHECK_EQ(w.bytes_of(w.file), "right bytes");
    CHECK(w.files.files.at(w.file.key).written_at == w.file.created_at);
    CHECK(!w.is_repair_asked());
    CHECK(w.journal.end() - std::find(w.journal.begin(), w.journal.end(), "stage") ==
          5);  // stage, put_right, find, publish, note_right
  }
}

static void a_file_that_is_right_gets_its_time_and_is_not_written() {
  World w;
  w.files.files.at(w.file.key).written_at += std::chrono::hours(1);
  CHECK_OK(w.copies.ask_repair(w.file.id));
  CHECK_OK(w.repairs.repair(w.file.id));
  CHECK(w.files.files.at(w.file.key).written_at == w.file.created_at && !w.is_repair_asked());
  CHECK(std::find(w.journal.begin(), w.journal.end(), "get") == w.journal.end());
  CHECK(std::find(w.journal.begin(), w.journal.end(), "stage") == w.journal.end());
}

static void wrong_bytes_never_come_into_place() {
  for (const char* bad : {"other bytes", "short", "right bytes and more"}) {
    World w;
    w.copy(w.file, bad);
    w.bytes_of(w.file)[0] = 'X';
    const Status done = w.repairs.repair(w.file.id);
    CHECK(!done && done.error().code == Errc::kInternal && !done.error().retryable);
    CHECK_EQ(w.bytes_of(w.file), "Xight bytes");
    CHECK(std::find(w.journal.begin(), w.journal.end(), "publish") == w.journal.end());
  }
  World w;
  CHECK_OK(w.s3.memory.remove(CHECK_OK(ObjectKey::parse(w.key_of_copy()))));
  w.files.files.clear();
  CHECK_ERR(w.repairs.repair(w.file.id), Errc::kInternal);
  w.copies.copies.at(to_string(w.file.id)).place.reset();
  CHECK_ERR(w.repairs.repair(w.file.id), Errc::kInternal);
}

static void a_store_that_is_away_is_no_fault_of_the_file() {
  World w;
  w.files.files.clear();
  w.s3.failures.fail(1, {Errc::kStore, "away", {}, true});
  const Status done = w.repairs.repair(w.file.id);
  CHECK(!done && done.error().retryable);
  CHECK_OK(w.repairs.repair(w.file.id));
}

static void a_file_that_was_deleted_meanwhile_does_not_come_back() {
  World w;
  const Attachment row = w.file;
  w.files.files.clear();
  w.rows.attachments.clear();
  CHECK_OK(w.repairs.repair(row.id));
  const auto outcome = CHECK_OK(w.repairs.bring_back(row, {StoreKind::kS3, w.key_of_copy()}, kNothing));
  CHECK(outcome == BroughtBack::kRowIsGone);
  CHECK(w.files.files.empty());
}

static void whoever_watches_the_bytes_may_end_it() {
  World w;
  w.files.files.clear();
  const Repairs::Took stop = [](std::size_t) { return Status(Error{Errc::kUnavailable, "stopped"}); };
  CHECK_ERR(w.repairs.bring_back(w.file, {StoreKind::kS3, w.key_of_copy()}, stop), Errc::kUnavailable);
  CHECK_ERR(w.repairs.look_at_object({StoreKind::kS3, w.key_of_copy()}, w.file, stop), Errc::kUnavailable);
  CHECK(w.files.files.empty());
}

static void empty_files_have_copies_too() {
  World w;
  Attachment& empty = w.add("");
  w.copy(empty, "");
  w.files.files.erase(empty.key);
  CHECK_OK(w.repairs.repair(empty.id));
  CHECK_EQ(w.bytes_of(empty), "");
  CHECK(CHECK_OK(w.repairs.look_at_object({StoreKind::kS3, "copy/" + to_hex(empty.id)}, empty, kNothing)) ==
        Side::kRight);
  CHECK(CHECK_OK(w.repairs.look_at_object({StoreKind::kS3, "copy/none"}, empty, kNothing)) == Side::kMissing);
}

static void the_payload_of_the_job_names_the_file() {
  World w;
  const JobHandler handler = repair_object_handler(w.repairs);
  Job job{.id = 1, .kind = "repair_object", .payload = "{}", .attempts = 1};
  CHECK_ERR(handler(job), Errc::kInternal);
  w.files.files.clear();
  job.payload = R"({"id":")" + to_string(w.file.id) + R"("})";
  CHECK_OK(handler(job));
  CHECK_EQ(w.files.files.size(), 1u);
}

static void the_gap_is_told_as_prometheus_reads_it() {
  const std::string text = copy_metrics({.files = 3, .bytes = 4711, .oldest = std::chrono::seconds(90)});
  CHECK(text.find("# TYPE cloakroom_copies_wanted_files gauge\ncloakroom_copies_wanted_files 3\n") != text.npos);
  CHECK(text.find("\ncloakroom_copies_wanted_bytes 4711\n") != text.npos);
  CHECK(text.find("\ncloakroom_copies_wanted_oldest_seconds 90\n") != text.npos);
}

int main() {
  const CMUnitTest tests[] = {
      CASE(a_file_is_as_stored_by_size_and_time),
      CASE(a_file_that_nobody_touched_costs_its_reader_one_look),
      CASE(a_reader_of_a_changed_file_gets_the_copy_and_one_job_is_made),
      CASE(without_a_copy_or_a_database_a_reader_gets_what_there_is),
      CASE(a_lost_or_damaged_file_comes_back_with_its_time),
      CASE(a_file_that_is_right_gets_its_time_and_is_not_written),
      CASE(wrong_bytes_never_come_into_place),
      CASE(a_store_that_is_away_is_no_fault_of_the_file),
      CASE(a_file_that_was_deleted_meanwhile_does_not_come_back),
      CASE(whoever_watches_the_bytes_may_end_it),
      CASE(empty_files_have_copies_too),
      CASE(the_payload_of_the_job_names_the_file),
      CASE(the_gap_is_told_as_prometheus_reads_it),
  };
  return RUN_TESTS("repairs", tests);
}

// backfill_test.cc — the walk over an old application's rows: what is taken, told, gone on with and given up.
#include "domain/backfill.h"

#include <algorithm>
#include <map>
#include <string>

#include "check.h"
#include "fake/clock.h"
#include "fake/rows.h"
#include "fake/scanner.h"
#include "fake/sniffer.h"
#include "fake/store.h"
#include "fake/temp_folder.h"

using namespace cloakroom;

namespace {

// Each row is one file: its message is its number, and so is its position.
struct FakeLegacyRows final : LegacyRows {
  std::vector<std::string> rows;  // JSON; "" could not be read

  Result<std::vector<LegacyRow>> after(const std::string& position, std::size_t most) override {
    std::vector<LegacyRow> out;
    for (std::size_t i = position.empty() ? 0 : std::stoul(position); i < rows.size() && out.size() < most; ++i) {
      LegacyRow row{.position = std::to_string(i + 1), .length = 1, .fields = {}};
      if (rows[i].empty()) row.trouble = "broken";
      if (!rows[i].empty()) row.fields = CHECK_OK(parse_json(rows[i]));
      out.push_back(std::move(row));
    }
    return out;
  }
  Result<Left> left(const std::string&) override { return Left{"rows", rows.size()}; }
};

struct FakeLegacyStore final : LegacyStore {
  fake::TempFolder folder;
  BlobStore* objects = nullptr;  // instead of the folder, below "old/"
  std::map<std::string, std::uint64_t> sizes;
  std::vector<std::string> opened;

  void add(const std::string& path, std::string_view bytes) {
    folder.write(path, bytes);
    sizes[path] = bytes.size();
    if (objects == nullptr) return;
    const UniqueFd fd = CHECK_OK(open_file(folder / path, O_RDONLY));
    CHECK_OK(objects->put(CHECK_OK(ObjectKey::parse("old/" + path)), {fd.get(), 0, bytes.size(), {}}, {}));
  }
  Result<LegacyBytes> open(const ObjectKey& path) override {
    opened.push_back(path.str());
    if (!sizes.contains(path.str())) return Error{Errc::kNotFound, "there is none"};
    LegacyBytes out{.file = {}, .object = {}, .size_bytes = sizes[path.str()]};
    if (objects != nullptr) {
      out.object = CHECK_OK(ObjectKey::parse("old/" + path.str()));
    } else {
      out.file = CHECK_OK(open_file(folder / path.str(), O_RDONLY));
    }
    return out;
  }
};

struct FakeBook final : BackfillBook {
  explicit FakeBook(fake::FakeRows& all) : rows(all) {}
  fake::FakeRows& rows;
  std::map<MessagePath, Attachment> lines;
  std::map<std::string, ObjectOwner> known;
  std::optional<std::pair<std::string, BackfillRun>> run;  // with its fingerprint
  fake::Failures failures{nullptr};

  Result<std::optional<BackfillRun>> run_of(const std::string&, const std::string& fingerprint) override {
    if (!run || run->first != fingerprint) return std::optional<BackfillRun>();
    return std::optional(run->second);
  }
  Status keep_run(const std::string&, const std::string& fingerprint, const BackfillRun& now) override {
    run = {fingerprint, now};
    return Ok{};
  }
  Result<std::set<MessagePath>> taken(const std::string&, std::span<const MessagePath> asked) override {
    std::set<MessagePath> out;
    for (const MessagePath& one : asked) {
      if (lines.contains(one)) out.insert(one);
    }
    return out;
  }
  Result<std::map<std::string, ObjectOwner>> owners(StoreKind, std::span<const std::string>) override { return known; }
  Status commit(const std::string&, const std::string& path, const Attachment& a,
                std::span<const DeletionTicket> tickets) override {
    TRY(failures.enter("commit"));
    TRY(rows.commit_upload(std::span(&a, 1), tickets));
    lines.insert({{*a.message_id, path}, a});
    return Ok{};
  }
};

struct World {
  explicit World(bool adopts = false) {
    const std::string mode = adopts ? "adopt" : "copy";
    mapping = CHECK_OK(parse_mapping(
        R"({"name": "m", "source": {"jsonl": {"path": "/x"}}, "bytes": {"root": "/r"}, "fields": {"path": "row.path",
            "message_id": "row.id", "size": "row.size", "created_at": "row.at"}, "mode": ")" +
        mode + "\"}"));
    rules.orphan_grace = std::chrono::seconds(600);
    rules.adopt_prefix = "old/";
    rules.fingerprint = "f1";
    rules.page = 3;
  }
  void add(int id, const std::string& path, const std::string& more = {}) {
    legacy.rows.push_back("{\"id\": " + std::to_string(id) + ", \"path\": \"" + path + "\"" + more + "}");
  }
  void add_files(int count) {
    for (int i = 1; i <= count; ++i) {
      bytes.add(std::to_string(i), "bytes of " + std::to_string(i));
      add(i, std::to_string(i));
    }
  }
  Result<bool> run() {
    troubles.clear();
    BackfillTellers tellers;
    tellers.failed = [this](const LegacyTrouble& one) {
      troubles.push_back(std::string(one.reason) + " " + one.message_id + " " + one.path);
    };
    tellers.between = [this]() -> Status {
      if (stops_after-- == 0) return Error{Errc::kNotYet, "stopped"};
      return Ok{};
    };
    Backfill backfill({legacy, bytes, store, rows, book, sniffer, clock}, mapping, rules, std::move(tellers));
    CHECK_OK(backfill.resume());
    auto done = backfill.run();
    totals = backfill.totals();
    return done;
  }

  BackfillMapping mapping;
  BackfillRules rules;
  FakeLegacyRows legacy;
  FakeLegacyStore bytes;
  fake::FakeStore store;
  fake::FakeRows rows;
  FakeBook book{rows};
  fake::FakeSniffer sniffer;
  fake::FixedClock clock;
  std::vector<std::string> troubles;
  BackfillTotals totals;
  int stops_after = -1;
};

void each_file_is_copied_linked_and_noted() {
  World w;
  w.bytes.add("a.html", "<p>");
  w.add(5, "a.html", R"(, "at": "2019-05-06 07:08:09")");
  w.sniffer.next_types = {"image/png"};
  CHECK(CHECK_OK(w.run()));
  const Attachment& a = w.rows.attachments.at(0);
  CHECK(a.status == AttachmentStatus::kLinked && a.message_id == "5");
  CHECK_EQ(a.filename, "a.html.png");
  CHECK_EQ(a.mime_type, "image/png");
  CHECK(a.sha256 == sha256("<p>") && a.size_bytes == 3);
  CHECK_EQ(iso8601_ms(a.created_at), "2019-05-06T07:08:09.000Z");
  CHECK_EQ(CHECK_OK(w.store.head(CHECK_OK(ObjectKey::parse(a.key)))).size_bytes, 3u);
  CHECK(w.rows.deletions.empty());
  CHECK(!a.wants_variants);
  CHECK(w.book.run->second.is_finished);
}

void a_second_run_takes_what_is_new_or_failed() {
  World w;
  w.add_files(7);
  w.add(8, "gone");
  CHECK(CHECK_OK(w.run()));
  CHECK(w.troubles == std::vector<std::string>{"missing 8 gone"});
  CHECK(w.totals.taken == 7 && w.totals.failed == 1 && w.totals.rows == 8);
  w.bytes.add("gone", "here again");
  w.bytes.opened.clear();
  CHECK(CHECK_OK(w.run()));
  CHECK(w.bytes.opened == std::vector<std::string>{"gone"});
  CHECK(w.totals.taken == 1 && w.totals.already == 7 && w.totals.failed == 0);
}

void the_same_file_of_a_message_is_taken_once_and_of_two_messages_twice() {
  World w;
  w.bytes.add("a", "x");
  w.add(1, "a");
  w.add(1, "a");
  w.add(2, "a");
  CHECK(CHECK_OK(w.run()));
  CHECK(w.totals.taken == 2 && w.totals.already == 1);
  CHECK(w.rows.attachments[0].key != w.rows.attachments[1].key);
}

void what_is_wrong_with_one_file_keeps_no_other_back() {
  World w;
  w.bytes.add("ok", "x");
  w.legacy.rows.emplace_back();
  w.add(2, "../etc/passwd");
  w.add(3, "ok", R"(, "size": 5)");
  w.add(4, "ok", R"(, "size": 1)");
  CHECK(CHECK_OK(w.run()));
  const std::vector<std::string> expected{"bad_row  ", "bad_path 2 ../etc/passwd", "wrong_size 3 ok"};
  CHECK(w.troubles == expected);
  CHECK_EQ(w.totals.taken, 1u);
}

void an_outage_ends_the_run_which_goes_on_where_it_was() {
  World w;
  w.add_files(8);
  w.store.failures.fail(5, {Errc::kStore, "away", {}, true});
  CHECK_ERR(w.run(), Errc::kStore);
  CHECK_EQ(w.book.run->second.position, "4");
  CHECK_EQ(w.rows.deletions.size(), 1u);  // the store may have it all the same: the ticket stays
  w.bytes.opened.clear();
  CHECK(CHECK_OK(w.run()));
  CHECK_EQ(w.bytes.opened.size(), 4u);
  CHECK(w.totals.taken == 8 && w.totals.rows == 8);  // of both
}

void a_commit_that_fails_leaves_a_ticket_and_no_line() {
  World w;
  w.add_files(1);
  w.book.failures.fail(1, {Errc::kDatabase, "away", {}, true});
  CHECK_ERR(w.run(), Errc::kDatabase);
  CHECK(w.book.lines.empty() && w.rows.attachments.empty());
  CHECK_EQ(w.rows.deletions.begin()->second.grace.count(), 0);
  w.book.failures.fail(1, refuse(Errc::kConflict, "another one was quicker"));
  CHECK(CHECK_OK(w.run()));
  CHECK(w.troubles == std::vector<std::string>{"conflict 1 1"});
}

void a_stop_or_a_limit_is_between_two_files() {
  World w;
  w.add_files(9);
  w.stops_after = 6;  // asked once a page, too
  CHECK_ERR(w.run(), Errc::kNotYet);
  CHECK_EQ(w.rows.attachments.size(), 4u);
  w.stops_after = -1;
  w.rules.most_taken = 2;
  CHECK(!CHECK_OK(w.run()));
  CHECK_EQ(w.rows.attachments.size(), 6u);
  CHECK(!w.book.run->second.is_finished);
  w.rules.most_taken = 0;
  CHECK(CHECK_OK(w.run()));
  CHECK_EQ(w.rows.attachments.size(), 9u);
}

void another_mapping_or_export_begins_at_the_first_row() {
  World w;
  w.add_files(4);
  w.rules.most_taken = 3;
  CHECK(!CHECK_OK(w.run()));
  w.rules.fingerprint = "f2";
  w.rules.most_taken = 0;
  CHECK(CHECK_OK(w.run()));
  CHECK(w.totals.already == 3 && w.totals.taken == 1 && w.totals.rows == 4);
}

void a_rehearsal_looks_and_changes_nothing() {
  World w;
  w.add_files(2);
  w.add(3, "gone");
  w.rules.is_rehearsal = true;
  CHECK(CHECK_OK(w.run()));
  CHECK(w.totals.taken == 2 && w.totals.failed == 1);
  CHECK(w.rows.attachments.empty() && w.book.lines.empty() && !w.book.run && w.rows.deletions.empty());
}

void what_is_adopted_stays_where_it_is() {
  World w(true);
  w.add_files(1);
  w.add(2, "1");  // another message with the same file: two rows never share an object
  CHECK(CHECK_OK(w.run()));
  CHECK_EQ(w.rows.attachments[0].key, "old/1");
  CHECK(w.rows.attachments[0].sha256 == sha256("bytes of 1"));
  CHECK(w.rows.attachments[1].key != "old/1");
  CHECK_EQ(CHECK_OK(w.store.head(CHECK_OK(ObjectKey::parse(w.rows.attachments[1].key)))).size_bytes, 10u);
}

void what_is_about_to_be_deleted_or_not_for_files_is_not_adopted() {
  World w(true);
  w.add_files(1);
  w.book.known = {{"old/1", ObjectOwner::kPromise}};
  CHECK(CHECK_OK(w.run()));
  CHECK(w.troubles == std::vector<std::string>{"conflict 1 1"});
  w.book.known.clear();
  w.rules.adopt_prefix = ".tmp/";
  CHECK(CHECK_OK(w.run()));
  CHECK(w.troubles == std::vector<std::string>{"bad_path 1 1"});
  CHECK(w.rows.attachments.empty());
}

// An audit would take it for what an upload has left, and delete it.
void what_has_a_name_of_ours_and_no_row_is_not_adopted_nor_promised_to_be() {
  const std::string key = make_key({"old/", KeyNaming::kUuidName}, make_uuid7(TimePoint{}), "x.txt").str();
  for (const bool is_rehearsal : {true, false}) {
    World w(true);
    w.rules.keys.prefix = "old/";
    w.rules.is_rehearsal = is_rehearsal;
    w.bytes.add(key.substr(4), "x");
    w.add(1, key.substr(4));
    w.add_files(1);
    CHECK(CHECK_OK(w.run()));
    CHECK(w.troubles == std::vector<std::string>{"bad_path 1 " + key.substr(4)});
    CHECK_EQ(w.totals.taken, 1u);
    w.book.known = {{key, ObjectOwner::kRow}};  // an attachment has it: the message gets a copy
    CHECK(CHECK_OK(w.run()));
    CHECK(w.troubles.empty());
  }
}

void rows_that_do_not_move_on_end_the_run() {
  struct Still final : LegacyRows {
    int pages = 0;
    Result<std::vector<LegacyRow>> after(const std::string&, std::size_t) override {
      std::vector<LegacyRow> out;
      if (++pages > 9) return out;
      out.push_back({.position = "x", .length = 1, .fields = {}, .trouble = "broken"});
      return out;
    }
    Result<Left> left(const std::string&) override { return Left{"rows", 1}; }
  } still;
  World w;
  Backfill backfill({still, w.bytes, w.store, w.rows, w.book, w.sniffer, w.clock}, w.mapping, w.rules, {});
  CHECK_OK(backfill.resume());
  CHECK_ERR(backfill.run(), Errc::kInvalid);
  CHECK_EQ(still.pages, 2);
}

void objects_are_copied_by_the_store_and_hashed_from_the_copy() {
  for (const bool adopts : {false, true}) {
    World w(adopts);
    w.bytes.objects = &w.store;
    w.bytes.add("1", "bytes of 1");
    w.bytes.add("0", "");
    w.add(1, "1");
    w.add(2, "0");
    CHECK(CHECK_OK(w.run()));
    CHECK_EQ(w.rows.attachments.size(), 2u);
    CHECK(w.rows.attachments[0].sha256 == sha256("bytes of 1"));
    CHECK(w.rows.attachments[1].sha256 == sha256(""));
    CHECK_EQ(w.sniffer.heads[0], "bytes of 1");
    CHECK_EQ(w.rows.attachments[0].key == "old/1", adopts);
  }
}

void what_the_scanner_finds_is_not_taken_and_without_it_nothing_is() {
  World w;
  w.add_files(3);
  fake::FakeScanner scanner;
  VirusScan scan(scanner, {.max_bytes = 100, .fail_open = false});
  w.rules.scan = &scan;
  scanner.virus = "of 2";
  CHECK(CHECK_OK(w.run()));
  CHECK(w.troubles == std::vector<std::string>{"infected 2 2"});
  CHECK_EQ(w.rows.attachments.size(), 2u);
  scanner.failures.fail(1, {Errc::kScannerAway, "down", {}, true});
  CHECK_ERR(w.run(), Errc::kScannerAway);
}

void pictures_get_a_job_where_pictures_are_made() {
  World w;
  w.add_files(2);
  w.rules.makes_variants = true;
  w.sniffer.next_types = {"image/png", "text/plain"};
  CHECK(CHECK_OK(w.run()));
  CHECK(w.rows.attachments[0].wants_variants && !w.rows.attachments[1].wants_variants);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      CASE(each_file_is_copied_linked_and_noted),
      CASE(a_second_run_takes_what_is_new_or_failed),
      CASE(the_same_file_of_a_message_is_taken_once_and_of_two_messages_twice),
      CASE(what_is_wrong_with_one_file_keeps_no_other_back),
      CASE(an_outage_ends_the_run_which_goes_on_where_it_was),
      CASE(a_commit_that_fails_leaves_a_ticket_and_no_line),
      CASE(a_stop_or_a_limit_is_between_two_files),
      CASE(another_mapping_or_export_begins_at_the_first_row),
      CASE(a_rehearsal_looks_and_changes_nothing),
      CASE(what_is_adopted_stays_where_it_is),
      CASE(what_is_about_to_be_deleted_or_not_for_files_is_not_adopted),
      CASE(what_has_a_name_of_ours_and_no_row_is_not_adopted_nor_promised_to_be),
      CASE(rows_that_do_not_move_on_end_the_run),
      CASE(objects_are_copied_by_the_store_and_hashed_from_the_copy),
      CASE(what_the_scanner_finds_is_not_taken_and_without_it_nothing_is),
      CASE(pictures_get_a_job_where_pictures_are_made),
  };
  return RUN_TESTS("backfill", tests);
}

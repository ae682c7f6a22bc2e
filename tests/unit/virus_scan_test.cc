// virus_scan_test.cc — what a scanner's word, or its silence, means for uploads of every kind.
#include "domain/virus_scan.h"

#include <sys/mman.h>

#include <string>
#include <vector>

#include "check.h"
#include "domain/direct_upload.h"
#include "domain/upload.h"
#include "fake/clock.h"
#include "fake/direct.h"
#include "fake/rows.h"
#include "fake/scanner.h"
#include "fake/sniffer.h"
#include "fake/store.h"

using namespace cloakroom;

namespace {

const Caller kAlice{Caller::Kind::kUser, "alice"};
const Error kAway{Errc::kScannerAway, "clamd: cannot connect", {}, true};

struct World {
  fake::Journal journal;
  fake::FakeRows rows{&journal};
  fake::FakeStore store{StoreKind::kS3, &journal};
  fake::FakeStore disk{StoreKind::kLocal, &journal};
  fake::FakeScanner scanner{&journal};
  fake::FakeSniffer sniffer;
  fake::FixedClock clock;
  VirusScan scan;
  UniqueFd body{::memfd_create("body", MFD_CLOEXEC)};
  std::uint64_t body_bytes = 0;
  UploadRequest request{.caller = kAlice, .dialog_id = {}, .files = {}};
  UploadRules rules;

  explicit World(ScanRules how = {.max_bytes = 20, .fail_open = false}) : scan(scanner, how) {
    rules.keys = {"pre/", KeyNaming::kFolder};
    rules.max_file_bytes = 100;
    rules.orphan_grace = std::chrono::seconds(600);
    rules.scan = &scan;
  }
  World& file(std::string name, std::string_view bytes) {
    CHECK_OK(write_all(body.get(), std::as_bytes(std::span(bytes))));
    request.files.push_back({std::move(name), {body.get(), body_bytes, bytes.size(), {}}});
    body_bytes += bytes.size();
    return *this;
  }
  Result<std::vector<Attachment>> take() {
    return Uploads(rows, store, sniffer, clock, rules, {&disk, {".kept/n/", KeyNaming::kFolder}}).take(request);
  }
  void check_untouched() {
    for (const std::string& call : journal) CHECK(call == "scan");
    CHECK(rows.attachments.empty() && store.memory.objects().empty() && disk.memory.objects().empty());
  }
};

// The same, with an object in quarantine.
struct Direct : World {
  fake::FakeDirectRows tickets{rows, &journal};
  fake::FakeDirectStore direct{&journal};
  using World::World;

  DirectUploads service() { return DirectUploads({rows, tickets, store, direct, sniffer, clock}, rules, {}); }
  Result<DirectTicket> open(std::uint64_t size) {
    return service().open({.caller = kAlice,
                           .dialog_id = {},
                           .filename = "a.txt",
                           .content_type = "text/plain",
                           .size_bytes = size,
                           .sha256 = {}});
  }
  Uuid uploaded(std::string_view bytes) {
    const Uuid id = CHECK_OK(open(bytes.size())).id;
    const UniqueFd file(::memfd_create("body", MFD_CLOEXEC));
    CHECK_OK(write_all(file.get(), std::as_bytes(std::span(bytes))));
    const ObjectKey key = CHECK_OK(ObjectKey::parse(tickets.uploads.front().key));
    CHECK_OK(store.memory.put(key, {file.get(), 0, bytes.size(), {}}, {"text/plain", "", "", ""}));
    journal.clear();
    return id;
  }
  Result<Completed> complete(const Uuid& id) { return service().complete(kAlice, id, {}); }
  void check_void() {
    CHECK(tickets.uploads.empty() && rows.attachments.empty());
    CHECK_EQ(tickets.deleted_now.size(), 1u);
    for (const auto& [id, deletion] : rows.deletions) CHECK_EQ(deletion.grace.count(), 0);
  }
};

std::size_t count(const fake::Journal& journal, const std::string& call) {
  return static_cast<std::size_t>(std::count(journal.begin(), journal.end(), call));
}

}  // namespace

static void who_is_over_his_budget_keeps_no_scanner_busy() {
  const RateSet rates{};
  World w;
  w.file("a.txt", "one").request.claim.spenders = {{"u:alice", &rates}};
  w.rows.failures.fail(1, Error{Errc::kTooMany, "over the budget"});
  CHECK_ERR(w.take(), Errc::kTooMany);
  CHECK_EQ(count(w.journal, "scan"), 0u);
  CHECK_OK(w.take());
  CHECK(w.rows.spent == std::vector<std::string>{"uploads u:alice"});
}

static void every_file_is_scanned_before_a_ticket_is_made() {
  World w;
  CHECK_OK(w.file("a", "one").file("b", "").file("c", "three").take());
  CHECK(w.journal == (fake::Journal{"scan", "scan", "scan", "plan_deletions", "put", "put", "put", "commit_upload"}));
  CHECK(w.scanner.seen == (std::vector<std::string>{"one", "", "three"}));
}

static void one_infected_file_and_nothing_is_kept() {
  World w;
  w.scanner.next = {{}, {ScanOutcome::kInfected, "Evil.Name"}};
  const auto outcome = w.file("a", "one").file("../b\n", "two").file("c", "three").take();
  CHECK_ERR(outcome, Errc::kInfected);
  CHECK_EQ(outcome.error().say, "A virus was found in the file '.._b'. Nothing was kept.");
  CHECK_EQ(outcome.error().detail, "infected: Evil.Name");
  CHECK(!outcome.error().retryable);
  w.check_untouched();
}

static void a_scanner_that_is_away_refuses_and_says_try_again() {
  World w;
  w.scanner.failures.fail(1, kAway);
  CHECK_ERR(w.file("a", "one").take(), Errc::kScannerAway);
  w.check_untouched();
  World half;
  half.scanner.breaks_after = 0;
  CHECK_ERR(half.file("a", "one").take(), Errc::kScannerAway);
  half.check_untouched();
}

static void what_it_would_not_look_at_is_refused() {
  World nested;
  nested.scanner.next = {{ScanOutcome::kNotScanned, "Heuristics.Limits.Exceeded.MaxScanSize"}};
  const auto outcome = nested.file("a", "one").take();
  CHECK_ERR(outcome, Errc::kNotScanned);
  CHECK(outcome.error().say.find("'a' cannot be scanned") != std::string::npos);
  nested.check_untouched();
  World cut;
  cut.scanner.next = {{ScanOutcome::kTooLarge, ""}};
  CHECK_ERR(cut.file("a", "one").take(), Errc::kTooLarge);
  cut.check_untouched();
}

static void its_ok_for_a_file_above_its_limit_is_not_even_asked_for() {
  World fits;
  CHECK_OK(fits.file("a", std::string(20, 'x')).take());
  World w;
  const auto outcome = w.file("a", std::string(21, 'x')).take();
  CHECK_ERR(outcome, Errc::kTooLarge);
  CHECK_EQ(outcome.error().say, "The file 'a' has 21 bytes, more than can be scanned for viruses here.");
  CHECK(w.journal.empty());
}

static void fail_open_keeps_what_cannot_be_scanned_and_still_refuses_what_is_infected() {
  const ScanRules open{.max_bytes = 20, .fail_open = true};
  World away(open);
  away.scanner.failures.fail(1, kAway);
  CHECK_OK(away.file("a", "one").take());
  World large(open);
  CHECK_OK(large.file("a", std::string(21, 'x')).take());
  CHECK(large.scanner.seen.empty());
  World nested(open);
  nested.scanner.next = {{ScanOutcome::kNotScanned, "Heuristics.Limits.Exceeded"}, {ScanOutcome::kTooLarge, ""}};
  CHECK_OK(nested.file("a", "one").file("b", "two").take());
  World infected(open);
  infected.scanner.next = {{ScanOutcome::kInfected, "Evil"}};
  CHECK_ERR(infected.file("a", "one").take(), Errc::kInfected);
  infected.check_untouched();
}

static void a_body_that_cannot_be_read_is_no_reason_to_keep_it() {
  World w({.max_bytes = 20, .fail_open = true});
  w.file("a", "one");
  w.request.files[0].bytes.size = 10;  // more than there is
  CHECK_ERR(w.take(), Errc::kInternal);
  w.check_untouched();
}

static void what_is_kept_aside_was_scanned_too() {
  World w;
  w.store.failures.fail(1, {Errc::kStore, "down", {}, true});
  CHECK_OK(w.file("a", "one").take());
  CHECK_EQ(w.disk.memory.objects().size(), 1u);
  CHECK_EQ(count(w.journal, "scan"), 1u);
  World infected;
  infected.store.failures.fail(1, {Errc::kStore, "down", {}, true});
  infected.scanner.next = {{ScanOutcome::kInfected, "Evil"}};
  CHECK_ERR(infected.file("a", "one").take(), Errc::kInfected);
  infected.check_untouched();
}

static void a_direct_upload_is_read_once_for_scan_type_and_hash() {
  Direct w;
  const Uuid id = w.uploaded("hello");
  const Attachment a = CHECK_OK(w.complete(id)).attachment;
  CHECK(a.sha256 == sha256("hello"));
  CHECK(w.scanner.seen == std::vector<std::string>{"hello"});
  CHECK_EQ(count(w.journal, "get"), 2u);  // a look at the head in quarantine, then all of the copy
  CHECK_EQ(w.rows.attachments.size(), 1u);
}

static void an_infected_direct_upload_is_void_and_both_objects_go() {
  for (const ScanOutcome outcome : {ScanOutcome::kInfected, ScanOutcome::kNotScanned, ScanOutcome::kTooLarge}) {
    Direct w;
    const Uuid id = w.uploaded("hello");
    w.scanner.next = {{outcome, "Evil"}};
    CHECK(!w.complete(id));
    w.check_void();
    CHECK_ERR(w.complete(id), Errc::kNotFound);
  }
}

static void a_scanner_that_is_away_leaves_the_ticket_as_it_is() {
  Direct w;
  const Uuid id = w.uploaded("hello");
  w.scanner.failures.fail(1, kAway);
  CHECK_ERR(w.complete(id), Errc::kScannerAway);
  w.scanner.breaks_after = 2;
  CHECK_ERR(w.complete(id), Errc::kScannerAway);
  w.scanner.breaks_after = 100;
  CHECK(CHECK_OK(w.complete(id)).attachment.sha256 == sha256("hello"));
}

static void nothing_is_copied_for_a_scanner_that_is_away() {
  Direct w;
  const Uuid id = w.uploaded("hello");
  w.scanner.failures.fail(1, kAway);
  CHECK_ERR(w.complete(id), Errc::kScannerAway);
  CHECK_EQ(count(w.journal, "scanner_ready"), 1u);
  CHECK_EQ(count(w.journal, "copy"), 0u);
  CHECK_EQ(count(w.journal, "plan_deletions"), 0u);
}

static void fail_open_still_hashes_the_whole_direct_upload() {
  for (const bool in_the_middle : {false, true}) {
    Direct w({.max_bytes = 20, .fail_open = true});
    const Uuid id = w.uploaded("hello");
    if (in_the_middle) {
      w.scanner.breaks_after = 2;
    } else {
      w.scanner.failures.fail(1, kAway);
    }
    CHECK(CHECK_OK(w.complete(id)).attachment.sha256 == sha256("hello"));
  }
}

static void a_store_that_fails_during_a_scan_is_the_stores_error() {
  Direct w;
  const Uuid id = w.uploaded("hello");
  w.store.failures.fail(5, {Errc::kStore, "down", {}, true});  // head, get, copy, head, get
  CHECK_ERR(w.complete(id), Errc::kStore);
  CHECK_EQ(w.tickets.uploads.size(), 1u);
}

static void a_ticket_is_not_given_for_what_could_not_be_scanned() {
  Direct w;
  CHECK_ERR(w.open(21), Errc::kTooLarge);
  CHECK(w.journal.empty());
  CHECK_OK(w.open(20));
  Direct open({.max_bytes = 20, .fail_open = true});
  CHECK_OK(open.open(21));
}

int main() {
  const CMUnitTest tests[] = {
      CASE(who_is_over_his_budget_keeps_no_scanner_busy),
      CASE(every_file_is_scanned_before_a_ticket_is_made),
      CASE(one_infected_file_and_nothing_is_kept),
      CASE(a_scanner_that_is_away_refuses_and_says_try_again),
      CASE(what_it_would_not_look_at_is_refused),
      CASE(its_ok_for_a_file_above_its_limit_is_not_even_asked_for),
      CASE(fail_open_keeps_what_cannot_be_scanned_and_still_refuses_what_is_infected),
      CASE(a_body_that_cannot_be_read_is_no_reason_to_keep_it),
      CASE(what_is_kept_aside_was_scanned_too),
      CASE(a_direct_upload_is_read_once_for_scan_type_and_hash),
      CASE(an_infected_direct_upload_is_void_and_both_objects_go),
      CASE(a_scanner_that_is_away_leaves_the_ticket_as_it_is),
      CASE(nothing_is_copied_for_a_scanner_that_is_away),
      CASE(fail_open_still_hashes_the_whole_direct_upload),
      CASE(a_store_that_fails_during_a_scan_is_the_stores_error),
      CASE(a_ticket_is_not_given_for_what_could_not_be_scanned),
  };
  return RUN_TESTS("virus_scan", tests);
}

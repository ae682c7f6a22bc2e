// rescan_test.cc — the walk over kept files: where it goes on, what it shuts away, what it leaves out, and its rate.
#include "domain/rescan.h"

#include <sys/mman.h>

#include <algorithm>
#include <string>

#include "check.h"
#include "fake/rows.h"
#include "fake/scanner.h"
#include "fake/store.h"

using namespace cloakroom;

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

struct FakeWalk final : RescanRows {
  explicit FakeWalk(fake::FakeRows& r) : rows(r) {}
  fake::FakeRows& rows;
  fake::Failures failures{nullptr};
  std::optional<std::uint64_t> signatures;
  Uuid after{};
  bool finished = false, foreign = false;

  Result<bool> begin(std::uint64_t number, bool again) override {
    TRY(failures.enter("begin"));
    if (signatures && *signatures >= number && !again) return false;
    signatures = number;
    after = {};
    finished = false;
    return true;
  }
  Result<std::optional<Uuid>> hold(std::uint64_t number, seconds) override {
    TRY(failures.enter("hold"));
    if (finished || foreign || signatures != number) return std::optional<Uuid>{};
    return std::optional(after);
  }
  Result<std::vector<Attachment>> next(const Uuid& from, std::size_t most) override {
    std::vector<Attachment> found;
    for (const Attachment& a : rows.attachments) {
      if (a.id.bytes > from.bytes && a.status != AttachmentStatus::kQuarantined && found.size() < most)
        found.push_back(a);
    }
    return found;
  }
  Status advance(std::uint64_t number, const Uuid& to, bool is_finished) override {
    if (signatures != number) return Error{Errc::kConflict, "another's"};
    after = to;
    finished = is_finished;
    return Ok{};
  }
};

struct World {
  fake::FakeRows rows;
  FakeWalk walk{rows};
  fake::FakeScanner scanner;
  fake::FakeStore store{StoreKind::kLocal};
  std::chrono::steady_clock::time_point now{seconds(1000)};
  RescanRules rules{.max_bytes = 100, .bytes_per_second = 10, .now = [this] { return now; }};
  std::optional<Rescan> rescan;

  Rescan& runner() {
    if (!rescan) {
      rescan.emplace(Rescan::Parts{rows, walk, scanner,
                                   [this](StoreKind kind) { return kind == StoreKind::kLocal ? &store : nullptr; }},
                     rules);
    }
    return *rescan;
  }
  Attachment& add(std::string_view bytes, const std::string& key = "") {
    Attachment a;
    a.id.bytes[15] = static_cast<std::uint8_t>(rows.attachments.size() + 1);
    a.key = key.empty() ? "k/" + to_hex(a.id) : key;
    a.filename = "f";
    a.size_bytes = bytes.size();
    const UniqueFd file(::memfd_create("f", MFD_CLOEXEC));
    CHECK_OK(write_all(file.get(), std::as_bytes(std::span(bytes))));
    CHECK_OK(store.memory.put(CHECK_OK(ObjectKey::parse(a.key)), {file.get(), 0, bytes.size(), {}}, {}));
    rows.attachments.push_back(a);
    return rows.attachments.back();
  }
  // A step, and the rest after it; how long that was.
  milliseconds step() {
    runner().step();
    const milliseconds rest = runner().until_due();
    now += rest;
    return rest;
  }
  void walk_to_the_end() {
    for (int i = 0; i < 100 && !walk.finished; ++i) step();
    CHECK(walk.finished);
  }
  bool is_quarantined(std::size_t n) { return rows.attachments.at(n).status == AttachmentStatus::kQuarantined; }
};

}  // namespace

static void the_first_walk_sees_every_file_and_shuts_away_what_is_found() {
  World w;
  for (int i = 0; i < 40; ++i) w.add(i % 7 == 3 ? "an evil file" : "file " + std::to_string(i));
  w.scanner.virus = "evil";
  w.walk_to_the_end();
  CHECK_EQ(w.scanner.seen.size(), 40u);
  for (std::size_t i = 0; i < 40; ++i) CHECK_EQ(w.is_quarantined(i), i % 7 == 3);
  CHECK_EQ(w.store.memory.objects().size(), 40u);  // for a sysadmin to judge
}

static void nothing_is_scanned_again_until_the_signatures_are_newer() {
  World w;
  w.add("evil of tomorrow");
  w.walk_to_the_end();
  for (int i = 0; i < 5; ++i) CHECK_EQ(w.step().count(), 30000);
  CHECK_EQ(w.scanner.seen.size(), 1u);
  w.scanner.virus = "tomorrow";
  w.scanner.number = 2;
  w.step();
  CHECK(w.is_quarantined(0));
  w.scanner.number = 1;  // a runner whose scanner is behind
  w.step();
  CHECK_EQ(*w.walk.signatures, 2u);
  CHECK_EQ(w.scanner.seen.size(), 2u);
}

static void the_rate_is_kept() {
  World w;
  for (int i = 0; i < 17; ++i) w.add("0123456789");
  CHECK_EQ(w.step().count(), 16000);  // 160 bytes at 10 a second
  CHECK_EQ(w.scanner.seen.size(), 16u);
  w.runner().step();
  w.runner().step();  // not due
  CHECK_EQ(w.scanner.seen.size(), 17u);
}

static void it_goes_on_where_it_stopped_and_another_runner_leaves_it_alone() {
  World w;
  for (int i = 0; i < 20; ++i) w.add("x");
  w.step();
  w.rescan.reset();  // killed
  w.step();
  CHECK_EQ(w.scanner.seen.size(), 20u);
  CHECK(w.walk.finished);
  World other;
  other.add("x");
  other.walk.foreign = true;
  other.step();
  CHECK(other.scanner.seen.empty());
}

static void a_scanner_that_is_away_stops_the_walk_at_that_file() {
  World w;
  for (int i = 0; i < 3; ++i) w.add("x");
  w.step();
  w.scanner.number = 2;
  w.scanner.failures.fail(3, {Errc::kScannerAway, "away", {}, true});  // signatures, scan, scan
  CHECK_EQ(w.step().count(), 30000);
  CHECK_EQ(w.scanner.seen.size(), 4u);
  CHECK(w.walk.after == w.rows.attachments[0].id);
  w.walk_to_the_end();
  CHECK_EQ(w.scanner.seen.size(), 6u);
}

static void a_file_that_always_fails_is_left_out_once_all_else_is_well() {
  World w;
  w.add("a");
  w.add("b");
  w.runner().step();
  w.now += seconds(60);
  w.scanner.number = 2;
  for (int i = 0; i < 3; ++i) {
    w.store.failures.fail(1, {Errc::kStore, "broken", {}, true});
    w.step();
  }
  w.walk_to_the_end();
  CHECK_EQ(w.scanner.seen.back(), "b");
}

static void what_cannot_be_scanned_is_skipped() {
  World w;
  w.add(std::string(101, 'x'));
  w.add("gone");
  w.add("");
  w.add("elsewhere").store = StoreKind::kS3;
  w.add("last");
  CHECK_OK(w.store.memory.remove(CHECK_OK(ObjectKey::parse(w.rows.attachments[1].key))));
  w.walk_to_the_end();
  CHECK_EQ(w.scanner.seen.back(), "last");
  CHECK_EQ(std::count(w.scanner.seen.begin(), w.scanner.seen.end(), "last"), 1);
}

static void a_database_that_is_away_is_waited_for() {
  World w;
  w.add("x");
  w.walk.failures.fail(1, {Errc::kDatabase, "away", {}, true});
  CHECK_EQ(w.step().count(), 30000);
  w.walk_to_the_end();
}

int main() {
  const CMUnitTest tests[] = {
      CASE(the_first_walk_sees_every_file_and_shuts_away_what_is_found),
      CASE(nothing_is_scanned_again_until_the_signatures_are_newer),
      CASE(the_rate_is_kept),
      CASE(it_goes_on_where_it_stopped_and_another_runner_leaves_it_alone),
      CASE(a_scanner_that_is_away_stops_the_walk_at_that_file),
      CASE(a_file_that_always_fails_is_left_out_once_all_else_is_well),
      CASE(what_cannot_be_scanned_is_skipped),
      CASE(a_database_that_is_away_is_waited_for),
  };
  return RUN_TESTS("rescan", tests);
}

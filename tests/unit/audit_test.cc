// audit_test.cc — the merge, the second look at what changes meanwhile, and what is mended.
#include "domain/audit.h"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "domain/object_key.h"
#include "fake/store.h"
#include "fake/temp_folder.h"

using namespace cloakroom;  // NOLINT: a test
using std::chrono::milliseconds;
using std::chrono::seconds;
using Owner = KnownObject::Owner;

namespace {

constexpr TimePoint kNow{seconds(1'769'851'800)};

Uuid id_of(char last) {
  Uuid id{};
  id.bytes.back() = static_cast<std::uint8_t>(last);
  return id;
}

// `stream` is what begin() saw; `now` what is known by now, and is the same until a test says otherwise.
class FakeRows final : public AuditRows {
 public:
  std::vector<KnownObject> stream;
  std::map<std::string, KnownObject> now;
  std::vector<std::string> queued, removed, refused, wanted;
  std::size_t at = 0, looks = 0;

  Result<std::uint64_t> begin(StoreKind) override { return std::uint64_t{stream.size()}; }
  Result<std::optional<KnownObject>> next() override {
    if (at == stream.size()) return std::optional<KnownObject>();
    return std::optional(stream[at++]);
  }
  Result<std::vector<std::optional<KnownObject>>> look(StoreKind, std::span<const std::string> keys) override {
    ++looks;
    std::vector<std::optional<KnownObject>> out;
    for (const auto& key : keys) out.push_back(now.count(key) > 0 ? std::optional(now[key]) : std::nullopt);
    return out;
  }
  Result<std::vector<bool>> queue_deletions(StoreKind, std::span<const std::string> keys) override {
    std::vector<bool> out;
    for (const auto& key : keys) {
      out.push_back(std::find(refused.begin(), refused.end(), key) == refused.end());
      if (out.back()) queued.push_back(key);
    }
    return out;
  }
  Result<bool> remove_variant(StoreKind, const std::string& key) override {
    removed.push_back(key);
    return true;
  }
  Result<bool> want_copy_again(StoreKind, const KnownObject& copy) override {
    wanted.push_back(copy.key);
    return true;
  }
};

class FakeListing final : public ObjectListing {
 public:
  std::vector<ListedObject> objects;
  std::size_t at = 0;
  Result<std::optional<ListedObject>> next() override {
    if (at == objects.size()) return std::optional<ListedObject>();
    return std::optional(objects[at++]);
  }
  TimePoint now() const override { return kNow; }
};

struct World {
  FakeRows rows;
  fake::FakeStore store;
  FakeListing listing;
  AuditTotals totals;
  AuditRules rules;
  std::vector<AuditFinding> findings;
  std::map<std::string, std::string> bytes;  // key -> bytes that the row knows of
  fake::TempFolder folder;
  milliseconds slept{0};

  World() {
    rules.grace = seconds(3600);
    rules.most_mended = 100;
    rules.is_ours = [](std::string_view key) { return key.front() != 'x'; };
    rules.tell = [this](const AuditFinding& finding) { findings.push_back(finding); };
    rules.pause = [this](milliseconds time) { slept += time; };
    rules.clock = [this] { return std::chrono::steady_clock::time_point(slept); };
  }

  void store_bytes(const std::string& key, const std::string& text) {
    const std::string path = folder.write("body", text);
    const UniqueFd fd = CHECK_OK(open_file(path, O_RDONLY));
    CHECK_OK(store.put(CHECK_OK(ObjectKey::parse(key)), {fd.get(), 0, text.size(), {}}, {}));
  }
  void object(const std::string& key, const std::string& text, seconds age = seconds(7200)) {
    store_bytes(key, text);
    listing.objects.push_back({key, text.size(), kNow - age});
  }
  KnownObject& row(const std::string& key, const std::string& text, Owner owner = Owner::kFile) {
    KnownObject known{owner,       key,         id_of(key.back()), owner == Owner::kVariant ? "thumb/webp" : "",
                      text.size(), sha256(text)};
    if (owner == Owner::kPromise) known = {owner, key};
    rows.now[key] = known;
    rows.stream.push_back(known);
    return rows.stream.back();
  }
  void both(const std::string& key, const std::string& text = "abc", Owner owner = Owner::kFile) {
    row(key, text, owner);
    object(key, text);
  }
  Result<bool> run() { return Audit({rows, store, listing}, rules, totals).run(); }
  // "problem key" of each finding.
  std::string told() {
    CHECK(CHECK_OK(run()));
    std::string text;
    for (const auto& f : findings) text.append(to_string(f.problem)).append(" ").append(f.key).append("; ");
    CHECK_EQ(totals.problems, findings.size());
    return text;
  }
};

void what_fits_together_is_no_finding() {
  World w;
  w.both("a/1");
  w.both("a/2", "picture", Owner::kVariant);
  w.both("b/3", "");
  CHECK_EQ(w.told(), "");
  CHECK(w.totals.rows == 3 && w.totals.objects == 3 && w.rows.looks == 0);
}

void each_kind_of_finding_is_told() {
  World w;
  w.row("a", "gone");
  w.object("b", "nobody's");
  w.row("c", "four");
  w.object("c", "three");
  w.row("d", "picture", Owner::kVariant);
  w.both("e", "v", Owner::kVariant);
  w.rows.stream.back().has_original = w.rows.now["e"].has_original = false;
  w.row("f", "right");
  w.object("f", "wrong");
  w.rules.hash = true;
  CHECK_EQ(w.told(),
           "row without bytes a; bytes without row b; wrong size c; variant without bytes d; "
           "variant without original e; wrong hash f; ");
  CHECK(w.findings[0].attachment_id == id_of('a') && w.findings[0].expected_bytes == 4);
  CHECK(w.findings[1].found_bytes == 8);
  CHECK(w.findings[2].expected_bytes == 4 && w.findings[2].found_bytes == 5);
  CHECK_EQ(w.findings[3].variant, "thumb/webp");
  for (const auto& f : w.findings) CHECK(f.mending == Mending::kNone && !remedy(f.problem).empty());
  CHECK(w.rows.queued.empty() && w.rows.removed.empty());
}

void without_hash_nothing_is_read() {
  World w;
  w.row("f", "right");
  w.object("f", "wrong");
  CHECK_EQ(w.told(), "");
  CHECK_EQ(w.totals.hashed_bytes, 0u);
}

void what_cannot_be_read_is_told_and_the_walk_goes_on() {
  World w;
  w.both("a");
  w.row("b", "gone");
  w.rules.hash = true;
  w.store.failures.fail(1, Error{Errc::kInternal, "cannot read: input/output error"});
  CHECK_EQ(w.told(), "unreadable a; row without bytes b; ");
}

void a_store_that_is_away_ends_it() {
  World w;
  w.row("a", "gone");
  w.store.failures.fail(1, Error{Errc::kStore, "away", {}, true});
  const auto done = w.run();
  CHECK(!done && done.error().code == Errc::kStore);
  CHECK(w.findings.empty());
}

void promises_are_neither_rows_nor_findings() {
  World w;
  w.row("a", "", Owner::kPromise);  // the upload has not begun
  w.both("b", "on the way", Owner::kPromise);
  w.both("c");
  w.row("c", "", Owner::kPromise);  // a row and a promise: the row counts
  CHECK_EQ(w.told(), "");
  CHECK_EQ(w.totals.rows, 1u);
}

void young_objects_and_those_of_others_are_counted_only() {
  World w;
  w.object("a", "1", seconds(3599));
  w.object("b", "2", seconds(3601));
  w.object("x", "3");
  CHECK_EQ(w.told(), "bytes without row b; ");
  CHECK(w.totals.young == 1 && w.totals.foreign == 1);
}

void what_changed_meanwhile_is_no_finding() {
  World w;
  w.row("a", "deleted");  // row and object are gone by now
  w.rows.now.erase("a");
  w.row("b", "late");  // the listing was there before it
  w.store_bytes("b", "late");
  w.object("c", "uploaded");  // its row came after the rows were read
  w.rows.now["c"] = {Owner::kFile, "c", id_of('c')};
  w.row("d", "moved");  // another object by now, and the old one is to be deleted
  w.rows.now["d"] = {Owner::kPromise, "d"};
  w.object("e", "cleaned up");  // its job is done
  CHECK_OK(w.store.remove(CHECK_OK(ObjectKey::parse("e"))));
  w.row("f", "other");  // another attachment has this key by now
  w.rows.now["f"].attachment_id = id_of('g');
  CHECK_EQ(w.told(), "");
  CHECK_EQ(w.rows.looks, 1u);
}

void what_was_listed_short_and_is_whole_by_now_is_no_finding() {
  World w;
  w.both("a", "whole");
  w.listing.objects[0].size_bytes = 2;
  CHECK_EQ(w.told(), "");
}

void only_the_safe_ones_are_mended() {
  World w;
  w.rules.fix = true;
  w.row("a", "gone");
  w.object("b", "nobody's");
  w.row("c", "four");
  w.object("c", "three");
  w.row("d", "picture", Owner::kVariant);
  w.row("e", "copy", Owner::kCopy);
  CHECK_EQ(w.told(),
           "row without bytes a; bytes without row b; wrong size c; variant without bytes d; copy without bytes e; ");
  CHECK(w.rows.queued == std::vector<std::string>{"b"});
  CHECK(w.rows.removed == std::vector<std::string>{"d"});
  CHECK(w.rows.wanted == std::vector<std::string>{"e"});
  CHECK_EQ(w.totals.mended, 3u);
  CHECK(w.findings[0].mending == Mending::kNone && w.findings[1].mending == Mending::kDone &&
        w.findings[2].mending == Mending::kNone && w.findings[3].mending == Mending::kDone);
}

void a_rehearsal_changes_nothing() {
  World w;
  w.rules.fix = w.rules.dry_run = true;
  w.object("b", "nobody's");
  w.row("d", "picture", Owner::kVariant);
  w.row("e", "copy", Owner::kCopy);
  CHECK_EQ(w.told(), "bytes without row b; variant without bytes d; copy without bytes e; ");
  CHECK(w.rows.queued.empty() && w.rows.removed.empty() && w.rows.wanted.empty());
  CHECK(w.findings[0].mending == Mending::kWould && w.findings[1].mending == Mending::kWould);
}

void over_the_limit_it_is_told_of_only() {
  World w;
  w.rules.fix = true;
  w.rules.most_mended = 1;
  w.object("a", "1");
  w.object("b", "2");
  CHECK_EQ(w.told(), "bytes without row a; bytes without row b; ");
  CHECK(w.rows.queued == std::vector<std::string>{"a"});
  CHECK(w.findings[1].mending == Mending::kOverLimit && w.totals.mended == 1);
}

void who_became_known_at_the_last_moment_is_kept_and_not_told_of() {
  World w;
  w.rules.fix = true;
  w.object("a", "1");
  w.object("b", "2");
  w.rows.refused = {"a"};
  CHECK_EQ(w.told(), "bytes without row b; ");
  CHECK_EQ(w.totals.mended, 1u);
}

void many_candidates_are_settled_in_batches() {
  World w;
  w.rules.fix = true;
  w.rules.most_mended = 10'000;
  for (int i = 1000; i < 2200; ++i) w.object("k" + std::to_string(i), "1");
  CHECK_OK(w.run());
  CHECK_EQ(w.findings.size(), 1200u);
  CHECK_EQ(w.rows.queued.size(), 1200u);
  CHECK_EQ(w.rows.looks, 3u);
}

void an_unsorted_store_is_refused() {
  World w;
  w.object("b", "1");
  w.object("a", "2");
  const auto done = w.run();
  CHECK(!done && done.error().code == Errc::kInternal);
  CHECK(w.rows.queued.empty());
}

void bytes_are_compared_not_letters() {
  World w;  // as COLLATE "C" has it: capitals before small letters, '.' before '/', UTF-8 last
  for (const char* key : {"B", "a.txt", "a/b", "a_", "\xc3\xa9"}) w.both(key);
  CHECK_EQ(w.told(), "");
  CHECK_EQ(w.totals.rows, 5u);
}

void hashing_keeps_its_rate() {
  World w;
  w.rules.hash = true;
  w.rules.bytes_per_second = 1000;
  w.both("a", std::string(1500, 'a'));
  w.both("b", std::string(500, 'b'));
  CHECK_EQ(w.told(), "");
  CHECK_EQ(w.totals.hashed_bytes, 2000u);
  CHECK(w.slept >= milliseconds(1980) && w.slept <= milliseconds(2010));
}

void a_stop_is_heard_while_it_hashes() {
  World w;
  w.rules.hash = true;
  w.rules.bytes_per_second = 1000;
  w.both("a", std::string(100'000, 'a'));
  w.both("b");
  w.rules.is_stop_asked = [&] { return w.slept >= seconds(2); };
  CHECK(!CHECK_OK(w.run()));
  CHECK(w.slept < seconds(3) && w.findings.empty());
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      CASE(what_fits_together_is_no_finding),
      CASE(each_kind_of_finding_is_told),
      CASE(without_hash_nothing_is_read),
      CASE(what_cannot_be_read_is_told_and_the_walk_goes_on),
      CASE(a_store_that_is_away_ends_it),
      CASE(promises_are_neither_rows_nor_findings),
      CASE(young_objects_and_those_of_others_are_counted_only),
      CASE(what_changed_meanwhile_is_no_finding),
      CASE(what_was_listed_short_and_is_whole_by_now_is_no_finding),
      CASE(only_the_safe_ones_are_mended),
      CASE(a_rehearsal_changes_nothing),
      CASE(over_the_limit_it_is_told_of_only),
      CASE(who_became_known_at_the_last_moment_is_kept_and_not_told_of),
      CASE(many_candidates_are_settled_in_batches),
      CASE(an_unsorted_store_is_refused),
      CASE(bytes_are_compared_not_letters),
      CASE(hashing_keeps_its_rate),
      CASE(a_stop_is_heard_while_it_hashes),
  };
  return RUN_TESTS("audit", tests);
}

// scrub_test.cc — the walk: what it finds on either side, what it does about it, and where it goes on.
#include "domain/scrub.h"

#include <algorithm>

#include "fake/copies.h"

using namespace cloakroom;

namespace {

using std::chrono::milliseconds;

// Goes by the order in which files were added, which is that of their ids.
class FakeWalk final : public ScrubRows {
 public:
  explicit FakeWalk(fake::CopiedFiles& world) : world_(world) {}

  ScrubState saved;
  std::vector<std::string> right;
  unsigned saves = 0;
  bool is_finished = false;
  std::function<void()> after_next = [] {};

  Result<ScrubState> begin() override { return saved; }
  Result<std::uint64_t> count_from(const Uuid&) override { return world_.rows.attachments.size(); }
  Result<std::vector<FileWithCopy>> next(const Uuid& after, std::size_t most) override {
    std::vector<FileWithCopy> out;
    for (const Attachment& a : world_.rows.attachments) {
      if (a.id.bytes <= after.bytes || out.size() == most) continue;
      TRY_ASSIGN(const auto one, world_.copies.find(a.id));
      out.push_back(*one);
    }
    after_next();
    return out;
  }
  Status advance(const Uuid& after, const ScrubTotals& totals, std::span<const Uuid> ids, bool finished) override {
    ++saves;
    saved.after = after;
    saved.totals = totals;
    is_finished = finished;
    for (const Uuid& id : ids) right.push_back(to_string(id));
    return Ok{};
  }

 private:
  fake::CopiedFiles& world_;
};

struct World : fake::CopiedFiles {
  FakeWalk walk{*this};
  Repairs repairs{{.copies = copies,
                   .local = files,
                   .store_of = [this](StoreKind kind) { return has_s3 && kind == StoreKind::kS3 ? &s3 : nullptr; },
                   .nameless = nameless()}};
  bool has_s3 = true, is_stop_asked = false;
  milliseconds slept{0};
  std::uint64_t rate = 0;
  ScrubRules rules;
  ScrubState state;
  std::vector<ScrubFinding> found;

  World() {
    rules.tell = [this](const ScrubFinding& f) { found.push_back(f); };
  }
  Attachment& copied(const std::string& bytes) {
    Attachment& a = add(bytes);
    copy(a, bytes);
    return a;
  }
  Result<bool> run() {
    Pace pace({.bytes_per_second = rate,
               .is_stop_asked = [this] { return is_stop_asked; },
               .clock = [this] { return std::chrono::steady_clock::time_point(slept); },
               .pause = [this](milliseconds time) { slept += time; }});
    return Scrub({.walk = walk,
                  .copies = copies,
                  .local = files,
                  .repairs = repairs,
                  .store_of = [this](StoreKind kind) { return has_s3 && kind == StoreKind::kS3 ? &s3 : nullptr; },
                  .pace = pace},
                 rules, state)
        .run();
  }
  const std::optional<CopyPlace>& place(const Attachment& a) { return copies.copies.at(to_string(a.id)).place; }
};

}  // namespace

static void what_is_right_on_both_sides_is_noted() {
  World w;
  w.rows.attachments.reserve(10);
  const Attachment &a = w.copied("abc"), &b = w.copied("");
  w.add("waits");
  w.files.files.at(b.key).written_at += std::chrono::hours(1);
  CHECK(CHECK_OK(w.run()));
  CHECK(w.found.empty() && w.walk.is_finished);
  CHECK(w.walk.right == (std::vector<std::string>{to_string(a.id), to_string(b.id)}));
  CHECK(w.state.totals.files == 3 && w.state.totals.bytes == 3 + 3 + 5);
  CHECK(w.files.files.at(b.key).written_at == b.created_at);
}

static void each_side_is_mended_from_the_other() {
  World w;
  w.rows.attachments.reserve(10);
  const Attachment &rotten = w.copied("rotten"), &lost = w.copied("lost"), &bad_copy = w.copied("bad copy"),
                   &lost_copy = w.copied("lost copy"), &both = w.copied("both"), &alone = w.add("alone");
  w.bytes_of(rotten)[0] = 'X';
  w.files.files.erase(lost.key);
  w.copy(bad_copy, "bad Copy");
  CHECK_OK(w.s3.memory.remove(CHECK_OK(ObjectKey::parse(w.place(lost_copy)->key))));
  w.bytes_of(both)[0] = 'X';
  w.copy(both, "BOTH");
  w.files.files.erase(alone.key);
  CHECK(CHECK_OK(w.run()));
  CHECK(w.bytes_of(rotten) == "rotten" && w.bytes_of(lost) == "lost");
  CHECK(!w.place(bad_copy) && !w.place(lost_copy));
  CHECK(w.place(both).has_value());
  CHECK(w.state.totals.repaired == 2 && w.state.totals.queued == 2 && w.state.totals.broken == 2);
  std::string told;
  for (const ScrubFinding& f : w.found) {
    told += std::string(to_string(f.store)) + (f.is_copy ? " copy" : " file");
    told += f.side == Side::kMissing ? " missing " : " damaged ";
    told += std::to_string(static_cast<int>(f.mending)) + "; ";
  }
  CHECK_EQ(told,
           "local file damaged 1; local file missing 1; s3 copy damaged 2; s3 copy missing 2; local file damaged 0; "
           "s3 copy damaged 0; local file missing 0; ");
  CHECK(w.walk.right.empty());
}

static void a_rehearsal_tells_the_same_and_changes_nothing() {
  World w;
  w.rows.attachments.reserve(10);
  w.rules.is_rehearsal = true;
  const Attachment &rotten = w.copied("rotten"), &lost_copy = w.copied("lost copy"), &both = w.copied("both"),
                   &late = w.copied("late");
  w.bytes_of(rotten)[0] = 'X';
  CHECK_OK(w.s3.memory.remove(CHECK_OK(ObjectKey::parse(w.place(lost_copy)->key))));
  w.bytes_of(both)[0] = 'X';
  w.copy(both, "BOTH");
  w.files.files.at(late.key).written_at += std::chrono::hours(1);
  CHECK(CHECK_OK(w.run()));
  CHECK(w.state.totals.repaired == 1 && w.state.totals.queued == 1 && w.state.totals.broken == 1);
  CHECK(w.found[0].mending == ScrubMending::kWouldRepair && w.found[1].mending == ScrubMending::kWouldQueue);
  CHECK_EQ(w.bytes_of(rotten), "Xotten");
  CHECK(w.place(lost_copy).has_value());
  CHECK(w.files.files.at(late.key).written_at != late.created_at);
  CHECK_EQ(w.walk.saves, 0u);
}

static void files_in_s3_alone_are_read_too_and_cannot_be_mended() {
  World w;
  w.rows.attachments.reserve(10);
  Attachment &right = w.add("right", false), &bad = w.add("bad", false);
  for (Attachment* a : {&right, &bad}) {
    a->store = StoreKind::kS3;
    w.files.files.erase(a->key);
  }
  w.store(right.key, "right");
  w.store(bad.key, "bax");
  CHECK(CHECK_OK(w.run()));
  CHECK(w.found.size() == 1 && w.found[0].id == bad.id && !w.found[0].is_copy && w.found[0].store == StoreKind::kS3);
  CHECK_EQ(w.state.totals.broken, 1u);
  w.has_s3 = false;
  w.state = {};
  CHECK(CHECK_OK(w.run()));
  CHECK(w.state.totals.skipped == 2 && w.state.totals.broken == 0);
}

static void what_was_deleted_or_moved_meanwhile_is_no_finding() {
  World w;
  w.rows.attachments.reserve(10);
  const Attachment gone = w.copied("gone");
  Attachment& moved = w.copied("moved");
  w.files.files.clear();
  w.walk.after_next = [&] {
    moved.store = StoreKind::kS3;
    moved.key = "elsewhere";
    std::erase_if(w.rows.attachments, [&](const Attachment& a) { return a.id == gone.id; });
  };
  CHECK(CHECK_OK(w.run()));
  CHECK(w.found.empty() && w.state.totals.broken == 0);
}

static void files_of_another_nodes_disk_are_left_to_it() {
  World w;
  const Attachment& a = w.add("aside", false);
  w.files.files.clear();
  w.rules.is_here = [&](std::string_view key) { return key != a.key; };
  CHECK(CHECK_OK(w.run()));
  CHECK(w.found.empty() && w.state.totals.skipped == 1);
}

static void a_store_that_is_away_ends_the_walk_where_it_goes_on() {
  World w;
  w.rows.attachments.reserve(10);
  const Attachment &a = w.copied("first"), &b = w.copied("second");
  w.s3.failures.fail(3, {Errc::kStore, "away", {}, true});  // head and get of the first
  CHECK_ERR(w.run(), Errc::kStore);
  CHECK(w.walk.saved.after == a.id && !w.walk.is_finished && w.walk.saved.totals.files == 1);
  CHECK(w.walk.right == std::vector<std::string>{to_string(a.id)});
  w.state = w.walk.saved;
  CHECK(CHECK_OK(w.run()));
  CHECK(w.walk.saved.totals.files == 2 && w.walk.saved.totals.bytes == 2 * (5 + 6));
  CHECK_EQ(w.walk.right.back(), to_string(b.id));
}

static void a_stop_is_heard_in_the_middle_of_a_file() {
  World w;
  w.copied("abc");
  w.rules.progress = [&](const ScrubTotals& t) { w.is_stop_asked = t.bytes > 0; };
  CHECK(!CHECK_OK(w.run()));
  CHECK(w.walk.saved.after == Uuid{} && w.walk.saved.totals.bytes == 0);
}

static void the_rate_is_kept() {
  World w;
  w.copied(std::string(1000, 'x'));
  w.rate = 500;
  CHECK(CHECK_OK(w.run()));
  CHECK(w.slept >= milliseconds(3900) && w.slept <= milliseconds(4100));
}

static void more_than_a_page_is_read_whole() {
  World w;
  w.rows.attachments.reserve(300);
  for (int i = 0; i < 250; ++i) w.add("x", false);
  CHECK(CHECK_OK(w.run()));
  CHECK_EQ(w.state.totals.files, 250u);
  CHECK_EQ(w.walk.saves, 3u);
}

int main() {
  const CMUnitTest tests[] = {
      CASE(what_is_right_on_both_sides_is_noted),
      CASE(each_side_is_mended_from_the_other),
      CASE(a_rehearsal_tells_the_same_and_changes_nothing),
      CASE(files_in_s3_alone_are_read_too_and_cannot_be_mended),
      CASE(what_was_deleted_or_moved_meanwhile_is_no_finding),
      CASE(files_of_another_nodes_disk_are_left_to_it),
      CASE(a_store_that_is_away_ends_the_walk_where_it_goes_on),
      CASE(a_stop_is_heard_in_the_middle_of_a_file),
      CASE(the_rate_is_kept),
      CASE(more_than_a_page_is_read_whole),
  };
  return RUN_TESTS("scrub", tests);
}

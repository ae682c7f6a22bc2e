// cleanup_test.cc — what the clean-up takes for waste, and what it does when something does not go.
#include "domain/cleanup.h"

#include <algorithm>
#include <map>
#include <string>

#include "check.h"

using namespace cloakroom;

namespace {

using std::chrono::hours;

const TimePoint kNow = CHECK_OK(parse_iso8601("2026-06-01T00:00:00Z"));

struct FakeRows : CleanupRows {
  std::vector<CleanupFile> files;  // by id, which is by time of upload
  std::set<std::string> known;     // messages
  std::vector<std::string> asked;
  std::set<std::string> stuck;    // names of files that the database will not let go
  std::set<std::string> changed;  // and of those that are something else by now
  int away_after = -1;
  std::vector<std::size_t> batches;
  hours undo{-1};

  Result<CleanupPage> stale(hours age, const std::optional<CleanupFile>& after, std::size_t most) override {
    CleanupPage page{{}, kNow};
    for (const CleanupFile& f : files) {
      const bool is_old = f.created_at < kNow - age && (!f.unlinked_at || *f.unlinked_at < kNow - age);
      const bool is_behind = !after || f.created_at > after->created_at;
      if (!f.message_id && is_old && is_behind && page.files.size() < most) page.files.push_back(f);
    }
    return page;
  }
  Result<CleanupPage> next(const Uuid& after, std::size_t most) override {
    CleanupPage page{{}, kNow};
    for (const CleanupFile& f : files) {
      if (f.id.bytes > after.bytes && page.files.size() < most) page.files.push_back(f);
    }
    return page;
  }
  Result<std::set<std::string>> living(std::span<const std::string> ids) override {
    std::set<std::string> out;
    for (const std::string& id : ids) {
      asked.push_back(id);
      if (known.count(id) > 0) out.insert(id);
    }
    return out;
  }
  Result<std::vector<Uuid>> bury(std::span<const CleanupCandidate> candidates, TimePoint, hours keep_for) override {
    if (away_after-- == 0) return Error{Errc::kDatabase, "away", {}, true};
    batches.push_back(candidates.size());
    undo = keep_for;
    std::vector<Uuid> gone;
    for (const CleanupCandidate& one : candidates) {
      if (stuck.count(one.file.filename) > 0) return Error{Errc::kInternal, "a foreign key"};
      if (changed.count(one.file.filename) == 0) gone.push_back(one.file.id);
    }
    for (const Uuid& id : gone) std::erase_if(files, [&](const CleanupFile& f) { return f.id == id; });
    return gone;
  }

  CleanupFile& add(const std::string& name, int days_old, const std::string& type = "image/png") {
    CleanupFile f;
    f.filename = name;
    f.mime_type = type;
    f.size_bytes = 10;
    f.created_at = kNow - hours(24 * days_old) + std::chrono::seconds(files.size());
    f.id = make_uuid7(f.created_at);
    files.push_back(f);
    std::sort(files.begin(), files.end(), [](const auto& a, const auto& b) { return a.id.bytes < b.id.bytes; });
    return *std::find_if(files.begin(), files.end(), [&](const CleanupFile& one) { return one.id == f.id; });
  }
  void linked(const std::string& name, const std::string& message, int days_old) {
    CleanupFile& f = add(name, days_old);
    f.message_id = message;
    f.linked_at = f.created_at;
  }
};

struct Run {
  std::map<std::string, std::string> removed;  // name -> reason
  std::vector<std::string> failed;
  CleanupTotals totals;
  Result<bool> ended = false;

  Run(FakeRows& rows, CleanupRules rules, std::function<Status(const CleanupTotals&)> between = {}) {
    Cleanup cleanup(rows, std::move(rules),
                    {.removed = [&](const CleanupCandidate& c) { removed[c.file.filename] = c.reason; },
                     .failed = [&](const CleanupCandidate& c, const Error&) { failed.push_back(c.file.filename); },
                     .between = std::move(between)});
    ended = cleanup.run();
    totals = cleanup.totals();
  }
};

void an_upload_is_stale_by_its_age_or_by_its_unlinking_whichever_is_later() {
  FakeRows rows;
  rows.add("old", 8);
  rows.add("young", 6);
  rows.linked("linked", "m", 100);
  rows.add("unlinked long ago", 100).unlinked_at = kNow - hours(24 * 8);
  rows.add("unlinked yesterday", 101).unlinked_at = kNow - hours(24);
  const Run run(rows, {.stale = hours(168), .undo = hours(48)});
  CHECK(CHECK_OK(run.ended));
  CHECK_EQ(run.removed.size(), 2u);
  CHECK(run.removed.at("old").starts_with("linked to nothing since 2026-05-24T"));
  CHECK(run.removed.at("unlinked long ago").starts_with("linked to nothing since 2026-05-24T00:00:00.000Z"));
  CHECK(rows.undo == hours(48) && run.totals.removed == 2 && run.totals.bytes == 20);
}

void nothing_is_stale_where_nobody_links() {
  FakeRows rows;
  rows.add("old", 800);
  CHECK(Run(rows, {.stale = hours(0)}).removed.empty());
}

void the_first_rule_of_retention_that_fits_counts() {
  FakeRows rows;
  rows.add("picture", 40);
  rows.add("fresh picture", 20);
  rows.add("film", 40, "video/mp4");
  rows.add("text", 40, "text/plain");
  rows.add("old text", 100, "text/plain");
  rows.linked("linked picture", "m", 40);
  const Run run(rows, {.stale = hours(0),
                       .retention = {{"image", hours(24 * 30)}, {"video/*", hours(24 * 50)}, {"*", hours(24 * 90)}}});
  CHECK_EQ(run.removed.size(), 3u);
  CHECK(run.removed.at("picture").ends_with("(RETENTION image:30d)"));
  CHECK(run.removed.count("linked picture") == 1 && run.removed.at("old text").ends_with("(RETENTION *:90d)"));
}

void types_fit_by_word_star_or_name() {
  CHECK(fits_type("image", "image/png") && fits_type("image/*", "image/png") && fits_type("image/png", "image/png"));
  CHECK(fits_type("file", "text/plain") && fits_type("*", "text/plain"));
  CHECK(!fits_type("image", "video/mp4") && !fits_type("image/*", "imagex/png") &&
        !fits_type("image/png", "image/gif"));
  CHECK(!fits_type("file", "audio/ogg"));
}

void a_file_goes_when_its_message_is_gone_for_more_than_a_day() {
  FakeRows rows;
  rows.linked("gone", "m1", 2);
  rows.linked("there", "m2", 2);
  rows.linked("perhaps not committed yet", "m3", 0);
  rows.add("linked to nothing", 2);
  rows.known = {"m2"};
  const Run run(rows, {.stale = hours(168), .asks_owner = true});
  CHECK_EQ(run.removed.size(), 1u);
  CHECK_EQ(run.removed.at("gone"), "its message m1 is gone (OWNER_QUERY)");
  CHECK((rows.asked == std::vector<std::string>{"m1", "m2"}));
}

void an_owner_who_knows_none_of_many_messages_is_not_believed() {
  FakeRows rows;
  for (int i = 0; i < 20; ++i) rows.linked("f" + std::to_string(i), "m" + std::to_string(i), 3);
  const Run doubting(rows, {.stale = hours(168), .asks_owner = true});
  CHECK_ERR(doubting.ended, Errc::kConflict);
  CHECK(doubting.removed.empty() && rows.files.size() == 20);
  CHECK(doubting.ended.error().detail.find("--force") != std::string::npos);
  rows.known = {"m7"};
  CHECK_EQ(Run(rows, {.stale = hours(168), .asks_owner = true}).removed.size(), 19u);
  rows.known = {};
  CHECK_EQ(Run(rows, {.stale = hours(168), .asks_owner = true, .trusts_owner = true}).removed.size(), 1u);
}

void a_rehearsal_tells_all_and_changes_nothing() {
  FakeRows rows;
  for (int i = 0; i < 5; ++i) rows.add("stale " + std::to_string(i), 10 + i);
  rows.linked("kept too long", "m", 400);
  const CleanupRules rules{
      .stale = hours(168), .retention = {{"*", hours(24 * 365)}}, .is_rehearsal = true, .batch = 2};
  const Run run(rows, rules);
  CHECK(run.removed.size() == 6 && run.totals.candidates == 6 && run.totals.removed == 0);
  CHECK(rows.files.size() == 6 && rows.batches.empty());
}

void batches_and_the_limit_are_kept() {
  FakeRows rows;
  for (int i = 0; i < 10; ++i) rows.add("f" + std::to_string(i), 10 + i);
  const Run run(rows, {.stale = hours(168), .batch = 3, .limit = 7});
  CHECK(!CHECK_OK(run.ended));
  CHECK_EQ(run.totals.removed, 7u);
  CHECK((rows.batches == std::vector<std::size_t>{3, 3, 1}));
  const Run rest(rows, {.stale = hours(168), .batch = 3, .limit = 7});
  CHECK(CHECK_OK(rest.ended));
  CHECK_EQ(rest.totals.removed, 3u);
}

void one_that_cannot_go_does_not_save_the_others() {
  FakeRows rows;
  for (int i = 0; i < 6; ++i) rows.add("f" + std::to_string(i), 10 + i);
  rows.stuck = {"f2"};
  rows.changed = {"f4"};
  const Run run(rows, {.stale = hours(168)});
  CHECK(CHECK_OK(run.ended));
  CHECK((run.failed == std::vector<std::string>{"f2"}));
  CHECK(run.totals.removed == 4 && run.totals.kept == 1 && run.totals.failed == 1);
  CHECK(run.removed.count("f2") == 0 && run.removed.count("f4") == 0);
}

void a_database_that_is_away_or_a_lock_that_is_lost_ends_the_walk() {
  FakeRows rows;
  for (int i = 0; i < 6; ++i) rows.add("f" + std::to_string(i), 10 + i);
  rows.away_after = 1;
  const Run away(rows, {.stale = hours(168), .batch = 2});
  CHECK_ERR(away.ended, Errc::kDatabase);
  CHECK(away.totals.removed == 2 && away.failed.empty());
  const Run stopped(rows, {.stale = hours(168), .batch = 2}, [](const CleanupTotals&) {
    return Status(Error{Errc::kNotYet, "stop"});
  });
  CHECK_ERR(stopped.ended, Errc::kNotYet);
  CHECK_EQ(stopped.totals.removed, 2u);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      CASE(an_upload_is_stale_by_its_age_or_by_its_unlinking_whichever_is_later),
      CASE(nothing_is_stale_where_nobody_links),
      CASE(the_first_rule_of_retention_that_fits_counts),
      CASE(types_fit_by_word_star_or_name),
      CASE(a_file_goes_when_its_message_is_gone_for_more_than_a_day),
      CASE(an_owner_who_knows_none_of_many_messages_is_not_believed),
      CASE(a_rehearsal_tells_all_and_changes_nothing),
      CASE(batches_and_the_limit_are_kept),
      CASE(one_that_cannot_go_does_not_save_the_others),
      CASE(a_database_that_is_away_or_a_lock_that_is_lost_ends_the_walk),
  };
  return RUN_TESTS("cleanup", tests);
}

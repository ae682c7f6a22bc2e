// cleanup_command.cc — `cloakroom cleanup`: removes what nobody needs any more, and says why.
#include <fmt/format.h>

#include <algorithm>
#include <iostream>
#include <map>

#include "base/limits.h"
#include "cmd/commands.h"
#include "cmd/progress.h"
#include "cmd/sweeper.h"
#include "cmd/wiring.h"
#include "db/cleanup.h"
#include "db/command_lock.h"
#include "db/jobs.h"

namespace cloakroom {
namespace {

struct Wishes {
  bool dry_run = false, json = false, force = false;
  std::size_t batch = 500;
  std::uint64_t limit = 0;
};

CleanupRules rules_of(const Config& config, const Wishes& wishes) {
  CleanupRules rules{.stale = config.cleanup.stale, .undo = config.cleanup.undo};
  for (const auto& one : config.cleanup.retention) rules.retention.push_back({one.type, one.age});
  rules.asks_owner = !config.cleanup.owner_query.empty();
  rules.trusts_owner = wishes.force;
  rules.is_rehearsal = wishes.dry_run;
  rules.batch = wishes.batch;
  rules.limit = wishes.limit;
  return rules;
}

// One line a file on standard output, for people or as JSON, while the work goes on.
class Teller {
 public:
  // `all`: how many files there are to be looked at; 0: nobody knows.
  Teller(const Wishes& wishes, std::uint64_t all) : wishes_(wishes), bar_("files", all, !wishes.json) {}

  void file(const CleanupCandidate& one, const Error* failure) {
    const char* const what = failure != nullptr ? "kept" : wishes_.dry_run ? "would remove" : "removed";
    bar_.clear();
    if (wishes_.json) {
      Summary line;
      line.text("what", what).text("id", to_string(one.file.id)).text("filename", one.file.filename);
      line.count("bytes", one.file.size_bytes).text("reason", one.reason);
      if (failure != nullptr) line.text("error", failure->detail);
      std::cout << line.json() << "\n";
      return;
    }
    std::cout << fmt::format("{} {} {} ({} bytes): {}", what, to_string(one.file.id), one.file.filename,
                             one.file.size_bytes, one.reason);
    if (failure != nullptr) std::cout << "; the database refuses: " << failure->detail;
    std::cout << "\n";
  }

  // A left-over by its name; of each kind the first ones alone, for there may be many. People get them of a rehearsal.
  void left_over(const char* kind, std::string_view name, std::string_view why) {
    if (++named_[kind] > limits::kNamedLeftOvers) return;
    bar_.clear();
    if (wishes_.json) {
      Summary line;
      line.text("what", wishes_.dry_run ? "would clear" : "cleared").text("kind", kind).text("name", name);
      std::cout << line.text("reason", why).json() << "\n";
    } else if (wishes_.dry_run) {
      std::cout << fmt::format("would clear {} {}: {}\n", kind, name, why);
    }
  }

  void so_far(const CleanupTotals& totals) {
    bar_.show(totals.looked_at, fmt::format("{} to remove", totals.candidates));
  }
  void finish() { bar_.clear(); }

 private:
  const Wishes& wishes_;
  Progress bar_;
  std::map<std::string_view, std::size_t> named_;
};

// What is no file yet, or no more.
struct Leftovers {
  Sweeper::Found swept;
  std::uint64_t direct_uploads = 0, tickets = 0;
};

Result<Leftovers> clear_leftovers(const Config& config, const StoreSet& stores, Database& database, bool is_rehearsal,
                                  Teller& teller) {
  Leftovers out;
  database.begin_request();
  PgDirectUploads direct(database);
  PgJobQueue queue(database, "");
  TRY_ASSIGN(const auto expired, direct.expired(config.orphan_grace, limits::kNamedLeftOvers));
  TRY_ASSIGN(const auto objects, queue.due_objects(limits::kNamedLeftOvers));
  if (is_rehearsal) {
    TRY_ASSIGN(out.direct_uploads, direct.count_expired(config.orphan_grace));
    TRY_ASSIGN(out.tickets, queue.count_due_tickets());
  } else {
    TRY_ASSIGN(out.direct_uploads, direct.clean_up(config.orphan_grace));
    TRY_ASSIGN(out.tickets, queue.collect_tickets());
  }
  for (const ExpiredUpload& one : expired) {
    const auto name = fmt::format("{} {} ({} bytes)", to_string(one.id), one.filename, one.size_bytes);
    teller.left_over("direct upload", name, one.is_complete ? "it is complete and expired" : "it expired");
  }
  for (const std::string& object : objects) teller.left_over("object", object, "its upload never got its row");
  const auto seen = [&teller](Leftover kind, std::string_view name) {
    if (kind == Leftover::kFile) {
      teller.left_over("file", name, "a killed process left it");
    } else {
      teller.left_over("unfinished upload", name, "nobody completed it");
    }
  };
  out.swept = Sweeper(config, stores, database, std::nullopt).sweep(is_rehearsal, seen);
  return out;
}

// Where somebody watches: the numbers cost the database a moment.
std::uint64_t files_to_look_at(PgCleanup& rows, const CleanupRules& rules) {
  const bool walks_all = !rules.retention.empty() || rules.asks_owner;
  if (!walks_all && rules.stale.count() == 0) return 0;
  const auto count = walks_all ? rows.count_all() : rows.count_stale(rules.stale);
  if (!count || walks_all || rules.limit == 0) return count.value_or(0);
  return std::min(*count, rules.limit);
}

void report(const Wishes& wishes, const CleanupTotals& totals, const Leftovers& left, bool is_whole) {
  if (wishes.json) {
    Summary out;
    out.text("what", "summary").flag("dry_run", wishes.dry_run).flag("finished", is_whole);
    out.count("candidates", totals.candidates).count("removed", totals.removed).count("bytes", totals.bytes);
    out.count("changed_meanwhile", totals.kept).count("failed", totals.failed);
    out.count("direct_uploads", left.direct_uploads).count("tickets", left.tickets);
    out.count("left_over_files", left.swept.files).count("unfinished_uploads", left.swept.uploads);
    std::cout << out.json() << "\n";
    return;
  }
  const auto others = [](std::uint64_t count, const char* what) {
    if (count > 0) std::cout << fmt::format("{} {}\n", count, what);
  };
  others(left.direct_uploads, "direct uploads that expired");
  others(left.tickets, "uploads that never got their row");
  others(left.swept.files, "files that killed processes left");
  others(left.swept.uploads, "uploads to the store that nobody completed");
  if (wishes.dry_run) {
    std::cout << fmt::format("{} files, {} bytes would be removed\n", totals.candidates, totals.bytes);
  } else {
    std::cout << fmt::format("{} files, {} bytes removed; {} were changed meanwhile, {} could not be removed\n",
                             totals.removed, totals.bytes, totals.kept, totals.failed);
  }
  if (!is_whole) std::cout << "there is more: run it again\n";
}

int run_cleanup(const Wishes& wishes) {
  const auto config = settings_or_complain();
  if (!config) return kExitConfig;
  const StopSignals stop;
  const SystemClock clock;
  const auto stores = make_stores(*config, clock);
  if (!stores) return complain(stores.error());
  Database database(database_options(*config, "cloakroom-cleanup"));
  auto lock = CommandLock::take(database, "cleanup", config->node_name);
  if (!lock) return complain(lock.error());

  PgCleanup rows(database, config->cleanup.owner_query);
  const CleanupRules rules = rules_of(*config, wishes);
  const bool is_watched = !wishes.json && Progress::is_possible();
  Teller teller(wishes, is_watched ? files_to_look_at(rows, rules) : 0);
  const auto between = [&](const CleanupTotals& totals) -> Status {
    teller.so_far(totals);
    if (stop.is_asked()) return Error{Errc::kNotYet, "stopped; run it again to go on"};
    return lock->keep();
  };
  Cleanup cleanup(rows, rules,
                  {.removed = [&](const CleanupCandidate& one) { teller.file(one, nullptr); },
                   .failed = [&](const CleanupCandidate& one, const Error& why) { teller.file(one, &why); },
                   .between = between});
  const auto walked = cleanup.run();
  const auto left =
      walked ? clear_leftovers(*config, *stores, database, wishes.dry_run, teller) : Result<Leftovers>(Leftovers{});
  teller.finish();
  report(wishes, cleanup.totals(), left ? *left : Leftovers{}, walked && *walked);
  if (!walked) return complain(walked.error());
  if (!left) return complain(left.error());
  if (!left->swept.is_whole) return kExitTryLater;
  return cleanup.totals().failed > 0 ? kExitProblems : kExitDone;
}

}  // namespace

void add_cleanup(CommandLine& line) {
  const auto wishes = std::make_shared<Wishes>();
  const OptionSet command = line.command(
      "cleanup", "remove stale uploads, what RETENTION and OWNER_QUERY say, and left-overs; safe to repeat",
      [wishes] { return run_cleanup(*wishes); });
  command.flag("--dry-run", wishes->dry_run, "only say what would be removed, and why");
  command.flag("--json", wishes->json, "one JSON object a line: each file, left-overs, at the end a summary");
  command.flag("--force", wishes->force, "believe OWNER_QUERY also when it knows none of many messages");
  command.value("--batch", wishes->batch, "files removed in one transaction").between(1, 10000).shows_default();
  command.value("--limit", wishes->limit, "files removed in this run at most; 0: any number").shows_default();
}

}  // namespace cloakroom

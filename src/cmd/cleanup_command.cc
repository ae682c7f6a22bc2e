// cleanup_command.cc — `cloakroom cleanup`: removes what nobody needs any more, and says why.
#include <fmt/format.h>

#include <iostream>

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
  explicit Teller(const Wishes& wishes) : wishes_(wishes), bar_("files", 0, !wishes.json) {}

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

  void so_far(const CleanupTotals& totals) {
    bar_.show(totals.looked_at, fmt::format("{} to remove", totals.candidates));
  }
  void finish() { bar_.clear(); }

 private:
  const Wishes& wishes_;
  Progress bar_;
};

// What is no file yet, or no more.
struct Leftovers {
  Sweeper::Found swept;
  std::uint64_t direct_uploads = 0, tickets = 0;
};

Result<Leftovers> clear_leftovers(const Config& config, const StoreSet& stores, Database& database, bool is_rehearsal) {
  Leftovers out;
  database.begin_request();
  PgDirectUploads direct(database);
  if (is_rehearsal) {
    TRY_ASSIGN(out.direct_uploads, direct.count_expired(config.orphan_grace));
    TRY_ASSIGN(out.tickets, PgJobQueue(database, "").count_due_tickets());
  } else {
    TRY_ASSIGN(out.direct_uploads, direct.clean_up(config.orphan_grace));
    TRY_ASSIGN(out.tickets, PgJobQueue(database, "").collect_tickets());
  }
  out.swept = Sweeper(config, stores, database, std::nullopt).sweep(is_rehearsal);
  return out;
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

  Teller teller(wishes);
  PgCleanup rows(database, config->cleanup.owner_query);
  const auto between = [&](const CleanupTotals& totals) -> Status {
    teller.so_far(totals);
    if (stop.is_asked()) return Error{Errc::kNotYet, "stopped; run it again to go on"};
    return lock->keep();
  };
  Cleanup cleanup(rows, rules_of(*config, wishes),
                  {.removed = [&](const CleanupCandidate& one) { teller.file(one, nullptr); },
                   .failed = [&](const CleanupCandidate& one, const Error& why) { teller.file(one, &why); },
                   .between = between});
  const auto walked = cleanup.run();
  const auto left =
      walked ? clear_leftovers(*config, *stores, database, wishes.dry_run) : Result<Leftovers>(Leftovers{});
  teller.finish();
  report(wishes, cleanup.totals(), left ? *left : Leftovers{}, walked && *walked);
  if (!walked) return complain(walked.error());
  if (!left) return complain(left.error());
  if (!left->swept.is_whole) return kExitTryLater;
  return cleanup.totals().failed > 0 ? kExitProblems : kExitDone;
}

}  // namespace

void add_cleanup(CLI::App& cli, Command& chosen) {
  const auto wishes = std::make_shared<Wishes>();
  CLI::App* command = cli.add_subcommand(
      "cleanup", "remove stale uploads, what RETENTION and OWNER_QUERY say, and left-overs; safe to repeat");
  command->add_flag("--dry-run", wishes->dry_run, "only say what would be removed, and why");
  command->add_flag("--json", wishes->json, "one JSON object a line: each file, at the end a summary");
  command->add_flag("--force", wishes->force, "believe OWNER_QUERY also when it knows none of many messages");
  command->add_option("--batch", wishes->batch, "files removed in one transaction")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  command->add_option("--limit", wishes->limit, "files removed in this run at most; 0: any number")
      ->capture_default_str();
  command->callback([wishes, &chosen] { chosen = [wishes] { return run_cleanup(*wishes); }; });
}

}  // namespace cloakroom

// scrub_command.cc — `cloakroom scrub`: every file and every copy is read again, and either mended from the other.
#include <fmt/format.h>

#include <iostream>

#include "cmd/commands.h"
#include "cmd/copying.h"
#include "cmd/progress.h"
#include "db/command_lock.h"
#include "db/scrubs.h"
#include "domain/fallback.h"

namespace cloakroom {
namespace {

struct Wishes {
  bool dry_run = false, json = false;
  std::optional<std::uint64_t> rate;
};

const char* word_of(ScrubMending mending) {
  switch (mending) {
    case ScrubMending::kNone:
      return "not mended";
    case ScrubMending::kRepaired:
      return "repaired from its copy";
    case ScrubMending::kQueued:
      return "queued to be copied anew";
    case ScrubMending::kWouldRepair:
      return "would be repaired from its copy";
    case ScrubMending::kWouldQueue:
      return "would be copied anew";
  }
  BUG("unknown mending");
}

void tell(const Wishes& wishes, const ScrubFinding& f) {
  const char* side = f.side == Side::kMissing ? "missing" : "damaged";
  if (wishes.json) {
    Summary line;
    line.text("id", to_string(f.id)).text("store", to_string(f.store)).text("what", f.is_copy ? "copy" : "file");
    std::cout << line.text("problem", side).text("done", word_of(f.mending)).json() << "\n";
    return;
  }
  std::cout << fmt::format("{} {} of attachment {}: {}, {}\n", to_string(f.store), f.is_copy ? "copy" : "file",
                           to_string(f.id), side, word_of(f.mending));
  if (f.mending == ScrubMending::kNone && !f.is_copy) {
    std::cout << "    put it back from a backup, or delete the attachment\n";
  }
}

struct Finish {
  bool is_finished = false;
  std::chrono::milliseconds took{};
};

void report(const Wishes& wishes, const ScrubState& state, const Finish& finish) {
  const ScrubTotals& t = state.totals;
  if (wishes.json) {
    Summary out;
    out.flag("finished", finish.is_finished).flag("resumed", state.is_resumed).count("files", t.files);
    out.count("bytes", t.bytes).count(wishes.dry_run ? "would_repair" : "repaired", t.repaired);
    out.count(wishes.dry_run ? "would_queue" : "queued", t.queued)
        .count("broken", t.broken)
        .count("skipped", t.skipped);
    std::cout << out.count("ms", static_cast<std::uint64_t>(finish.took.count())).json() << "\n";
    return;
  }
  const char* would = wishes.dry_run ? "would be " : "";
  std::cout << fmt::format("{} files read, {} bytes of both sides: {} {}repaired, {} copies {}made anew, {} broken",
                           t.files, t.bytes, t.repaired, would, t.queued, would, t.broken);
  if (t.skipped > 0) std::cout << fmt::format(", {} skipped (their store is not configured here)", t.skipped);
  std::cout << fmt::format(", {:.1f} s\n", static_cast<double>(finish.took.count()) / 1000);
  if (state.is_resumed) std::cout << "these are the numbers of the whole walk, which an earlier run began\n";
  if (!finish.is_finished) std::cout << "stopped before the end: the next run goes on there\n";
}

// Also what is on the disk and was never asked to be copied.
Status want_the_rest(CopyRows& copies) {
  Uuid after{};
  while (true) {
    TRY_ASSIGN(const CopyPage page, copies.want_page(after, 1000, false));
    if (page.looked_at == 0) return Ok{};
    after = page.last;
  }
}

int run_scrub(const Wishes& wishes) {
  const StopSignals stop;
  const auto config = settings_or_complain();
  if (!config) return kExitConfig;
  const SystemClock clock;
  const auto stores = make_stores(*config, clock);
  if (!stores) return complain(stores.error());
  Database database(database_options(*config, "cloakroom-scrub"));
  auto lock = CommandLock::take(database, "scrub", config->node_name);
  if (!lock) return complain(lock.error());
  PgCopies copies(database);
  PgScrubs walk(database);
  auto state = wishes.dry_run ? Result<ScrubState>(ScrubState{}) : walk.begin();
  if (!state) return complain(state.error());
  const auto left = walk.count_from(state->after);
  if (!left) return complain(left.error());

  Repairs repairs = make_repairs(*config, *stores, copies);
  Pace pace({.bytes_per_second = wishes.rate.value_or(config->scrub_bytes_per_second),
             .is_stop_asked = [&] { return stop.is_asked(); }});
  Progress bar("files", *left, !wishes.json);
  const std::uint64_t before = state->totals.files;
  ScrubRules rules{.is_rehearsal = wishes.dry_run};
  rules.is_here = [kept = kept_prefix_of(*config)](std::string_view key) {
    return !key.starts_with(kKeptRoot) || key.starts_with(kept);
  };
  rules.tell = [&](const ScrubFinding& finding) {
    bar.clear();
    tell(wishes, finding);
  };
  rules.progress = [&](const ScrubTotals& t) { bar.show(t.files - before, fmt::format("{} MiB read", t.bytes >> 20)); };
  const auto began = std::chrono::steady_clock::now();
  const auto done = Scrub({.walk = walk,
                           .copies = copies,
                           .local = *stores->local,
                           .repairs = repairs,
                           .store_of = [all = stores->all()](StoreKind kind) { return all.by_kind(kind); },
                           .pace = pace},
                          std::move(rules), *state)
                        .run();
  bar.clear();
  Status rest = Ok{};
  if (done && *done && is_hybrid(*config) && !wishes.dry_run) rest = want_the_rest(copies);
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - began);
  report(wishes, *state, {done && *done, took});
  if (!done) return complain(done.error());
  if (!rest) return complain(rest.error());
  if (!*done) return kExitTryLater;
  const ScrubTotals& t = state->totals;
  return t.broken > 0 || (wishes.dry_run && t.repaired + t.queued > 0) ? kExitProblems : kExitDone;
}

}  // namespace

void add_scrub(CommandLine& line) {
  const auto wishes = std::make_shared<Wishes>();
  const OptionSet command = line.command(
      "scrub",
      "read all files and copies again and mend either from the other; exit 0: all is well or was mended, 1: "
      "something is broken, 75: try later, it goes on where it stopped",
      [wishes] { return run_scrub(*wishes); });
  command
      .value("--rate", wishes->rate, "so many bytes a second, such as 50M; 0: as fast as it goes (default: SCRUB_RATE)")
      .as_bytes();
  command.flag("--dry-run", wishes->dry_run, "only say what is wrong and what it would do");
  command.flag("--json", wishes->json, "an object a line: each finding, then a summary; no progress bar");
}

}  // namespace cloakroom

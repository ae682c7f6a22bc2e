// variants_command.cc — `cloakroom variants --rebuild`: makes the smaller pictures of all files, as the settings have
// them.
#include <fmt/format.h>

#include <iostream>

#include "cmd/commands.h"
#include "cmd/progress.h"
#include "cmd/wiring.h"
#include "db/command_lock.h"

namespace cloakroom {
namespace {

constexpr std::size_t kBatch = 100;

struct Wishes {
  bool rebuild = false, missing = false, dry_run = false, json = false;
  std::string after;
};

struct Totals {
  std::uint64_t files = 0, made = 0, failed = 0;
};

void report(const Wishes& wishes, const Totals& totals, const Uuid& last, bool is_finished) {
  const std::string after = to_string(last);
  if (wishes.json) {
    Summary summary;
    summary.count("files", totals.files).count("made", totals.made).count("failed", totals.failed);
    std::cout << summary.flag("finished", is_finished).text("after", after).json() << "\n";
    return;
  }
  if (wishes.dry_run) {
    std::cout << fmt::format("{} files may have pictures\n", totals.files);
    return;
  }
  std::cout << fmt::format("{} files, {} pictures made, {} files failed\n", totals.files, totals.made, totals.failed);
  if (!is_finished) std::cout << "stopped; go on with: cloakroom variants --rebuild --after " << after << "\n";
}

// An Imager or a database that is away ends the walk: it would be the same with the next file.
bool is_end(const Error& error) {
  return error.code == Errc::kImagerAway || error.code == Errc::kDatabase || error.code == Errc::kStoreAway;
}

int run_rebuild(const Wishes& wishes) {
  const auto config = settings_or_complain();
  if (!config) return kExitConfig;
  Uuid last{};
  if (!wishes.after.empty()) {
    const auto id = parse_uuid(wishes.after);
    if (!id) {
      std::cerr << "--after takes the id of an attachment\n";
      return kExitUsage;
    }
    last = *id;
  }
  const SystemClock clock;
  const auto stores = make_stores(*config, clock);
  if (!stores) return complain(stores.error());
  auto imager = make_imager(*config);
  if (!imager || config->variants.empty()) {
    std::cerr << "there are no pictures here: set IMAGE_SOCKET, and VARIANTS to more than none\n";
    return kExitConfig;
  }
  Database database(database_options(*config, "cloakroom-variants"));
  PgRows rows(database);
  PgVariants variant_rows(database);
  Variants variants = make_variants(*config, *stores, rows, variant_rows, *imager, clock);

  const auto all = variant_rows.count_from(last);
  if (!all) return complain(all.error());
  Totals totals;
  if (wishes.dry_run) {
    totals.files = *all;
    report(wishes, totals, last, true);
    return kExitDone;
  }
  auto lock = CommandLock::take(database, "variants", config->node_name);
  if (!lock) return complain(lock.error());
  const StopSignals stop;
  Progress bar("files", *all, !wishes.json);
  while (true) {
    const auto batch = variant_rows.next(last, kBatch);
    if (!batch) return complain(batch.error());
    if (batch->empty()) break;
    if (const Status kept = lock->keep(); !kept) {
      report(wishes, totals, last, false);
      return complain(kept.error());
    }
    for (const Attachment& a : *batch) {
      if (stop.is_asked()) {
        report(wishes, totals, last, false);
        return kExitTryLater;
      }
      const Status forgotten = wishes.missing ? Status(Ok{}) : variant_rows.forget(a.id);
      const auto made = forgotten ? variants.make_all(a.id) : Result<unsigned>(forgotten.error());
      if (!made && is_end(made.error())) {
        report(wishes, totals, last, false);
        complain(made.error());
        return kExitTryLater;
      }
      last = a.id;
      ++totals.files;
      totals.made += made ? *made : 0;
      totals.failed += made ? 0 : 1;
      bar.show(totals.files, fmt::format("{} pictures made, {} failed", totals.made, totals.failed));
    }
  }
  report(wishes, totals, last, true);
  return totals.failed > 0 ? kExitProblems : kExitDone;
}

}  // namespace

void add_variants(CommandLine& line) {
  const auto wishes = std::make_shared<Wishes>();
  const OptionSet command =
      line.command("variants", "the smaller pictures of all files", [wishes] { return run_rebuild(*wishes); });
  command.flag("--rebuild", wishes->rebuild, "make all of them anew, in the sizes and formats of the settings")
      .required();
  const Option missing = command.flag("--missing", wishes->missing, "only those that are not there yet");
  command.flag("--dry-run", wishes->dry_run, "only say how many files may have pictures").excludes(missing);
  command.flag("--json", wishes->json, "say at the end what was done, as JSON; no progress bar");
  command.value("--after", wishes->after, "go on after the attachment with this id, where another run stopped");
}

}  // namespace cloakroom

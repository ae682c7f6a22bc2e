// replicate_command.cc — `cloakroom replicate`: queues a copy of every local file that has none, and says what is not
// copied yet.
#include <fmt/format.h>

#include <algorithm>
#include <iostream>

#include "cmd/commands.h"
#include "cmd/progress.h"
#include "cmd/wiring.h"
#include "db/command_lock.h"

namespace cloakroom {
namespace {

constexpr std::size_t kPage = 1000;

struct Wishes {
  bool status = false, dry_run = false, json = false;
};

std::string in_words(std::chrono::seconds age) {
  const auto s = age.count();
  if (s < 120) return fmt::format("{} s", s);
  if (s < 7200) return fmt::format("{} min", s / 60);
  return s < 172800 ? fmt::format("{} h", s / 3600) : fmt::format("{} d", s / 86400);
}

int show_status(CopyRows& copies, const Wishes& wishes, bool is_hybrid) {
  const auto queued = copies.gap();
  if (!queued) return complain(queued.error());
  const auto never_asked = copies.uncounted();
  if (!never_asked) return complain(never_asked.error());
  const CopyGap all{queued->files + never_asked->files, queued->bytes + never_asked->bytes,
                    std::max(queued->oldest, never_asked->oldest)};
  if (wishes.json) {
    Summary out;
    out.count("files", all.files).count("bytes", all.bytes);
    out.count("oldest_seconds", static_cast<std::uint64_t>(all.oldest.count()));
    out.count("not_queued_files", never_asked->files).count("not_queued_bytes", never_asked->bytes);
    std::cout << out.json() << "\n";
    return kExitDone;
  }
  std::cout << fmt::format("not yet copied: {} files, {} bytes", all.files, all.bytes);
  std::cout << (all.files > 0 ? ", the oldest " + in_words(all.oldest) + "\n" : "\n");
  if (never_asked->files > 0) {
    std::cout << fmt::format("of these {} files, {} bytes were never queued: {}\n", never_asked->files,
                             never_asked->bytes,
                             is_hybrid ? "cloakroom replicate does that" : "only with STORAGE=hybrid are files copied");
  }
  return kExitDone;
}

void report(const Wishes& wishes, const CopyPage& total, bool is_finished) {
  if (wishes.json) {
    Summary out;
    out.flag("finished", is_finished).count("files", total.looked_at);
    out.count(wishes.dry_run ? "would_queue" : "queued", total.queued);
    std::cout << out.count(wishes.dry_run ? "would_queue_bytes" : "queued_bytes", total.queued_bytes).json() << "\n";
    return;
  }
  std::cout << fmt::format("{} files on the local disk, {} of them ({} bytes) {}\n", total.looked_at, total.queued,
                           total.queued_bytes, wishes.dry_run ? "would be queued" : "queued to be copied");
  if (!is_finished) std::cout << "stopped before the end: begin again\n";
}

// True: all of them; false: asked to stop. What was queued stays so, and is found queued when it is run again.
Result<bool> queue_all(CopyRows& copies, CommandLock& lock, const StopSignals& stop, const Wishes& wishes,
                       CopyPage& total) {
  Progress bar("files looked at", 0, !wishes.json);
  while (!stop.is_asked()) {
    TRY(lock.keep());
    TRY_ASSIGN(const CopyPage page, copies.want_page(total.last, kPage, wishes.dry_run));
    if (page.looked_at == 0) return true;
    total.last = page.last;
    total.looked_at += page.looked_at;
    total.queued += page.queued;
    total.queued_bytes += page.queued_bytes;
    bar.show(total.looked_at, fmt::format("{} queued", total.queued));
  }
  return false;
}

int run_replicate(const Wishes& wishes) {
  const StopSignals stop;
  const auto config = settings_or_complain();
  if (!config) return kExitConfig;
  Database database(database_options(*config, "cloakroom-replicate"));
  PgCopies copies(database);
  if (wishes.status) return show_status(copies, wishes, is_hybrid(*config));
  if (!is_hybrid(*config)) {
    std::cerr << "only with STORAGE=hybrid local files have copies\n";
    return kExitConfig;
  }
  auto lock = CommandLock::take(database, "replicate", config->node_name);
  if (!lock) return complain(lock.error());
  CopyPage total;
  const auto done = queue_all(copies, *lock, stop, wishes, total);
  report(wishes, total, done && *done);
  if (!done) return complain(done.error());
  return *done ? kExitDone : kExitTryLater;
}

}  // namespace

void add_replicate(CommandLine& line) {
  const auto wishes = std::make_shared<Wishes>();
  const OptionSet command = line.command(
      "replicate", "with STORAGE=hybrid: queue local files that have no copy, for cloakroom jobs to copy them",
      [wishes] { return run_replicate(*wishes); });
  const Option status =
      command.flag("--status", wishes->status, "only say what is not copied yet: files, bytes, since when");
  command.flag("--dry-run", wishes->dry_run, "only say how many would be queued").excludes(status);
  command.flag("--json", wishes->json, "as JSON; no progress bar");
}

}  // namespace cloakroom

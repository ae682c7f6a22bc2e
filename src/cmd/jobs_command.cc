// jobs_command.cc — `cloakroom jobs`: the runner of the job table; deletes objects whose rows are gone, moves files
// that were kept aside, sweeps left-overs.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <iostream>
#include <optional>

#include "base/id.h"
#include "base/log.h"
#include "cmd/commands.h"
#include "cmd/confine.h"
#include "cmd/copying.h"
#include "cmd/jobs_view.h"
#include "cmd/prefork.h"
#include "cmd/progress.h"
#include "cmd/sweeper.h"
#include "cmd/wiring.h"
#include "db/deletions.h"
#include "db/jobs.h"
#include "db/rescans.h"
#include "db/tombstones.h"
#include "domain/rescan.h"
#include "jobs/abort_multipart.h"
#include "jobs/copy_object.h"
#include "jobs/delete_object.h"
#include "jobs/make_variants.h"
#include "jobs/move_object.h"
#include "jobs/purge_cache.h"
#include "jobs/purge_tombstone.h"
#include "jobs/repair_object.h"

namespace cloakroom {
namespace {

constexpr std::chrono::minutes kLongestPictureRetry{5};  // who makes pictures is back long before
constexpr std::chrono::seconds kLongestMoveRetry{15};    // the store is back long before a back-off of minutes is over
constexpr std::chrono::seconds kLongestCopyRetry{60};    // the same; but many wait, and all of them ask
constexpr std::chrono::minutes kForOthers{1};            // until somebody else might have to keep house

int run_sweep(std::optional<std::chrono::seconds> older_than) {
  const auto config = settings_or_complain();
  if (!config) return kExitConfig;
  const SystemClock clock;
  const auto stores = make_stores(*config, clock);
  if (!stores) return complain(stores.error());
  Database database(database_options(*config, "cloakroom-sweep"));
  return Sweeper(*config, *stores, database, older_than).sweep().is_whole ? kExitDone : kExitTryLater;
}

// Has the runners scan all files again, also with the signatures they know: for changes that have no number.
int run_rescan() {
  const auto config = settings_or_complain();
  if (!config) return kExitConfig;
  auto scanner = make_scanner(*config);
  if (!scanner || config->rescan_bytes_per_second == 0) {
    std::cerr << "nothing is scanned again: set CLAMD_SOCKET, and RESCAN_RATE to more than 0\n";
    return kExitConfig;
  }
  const auto signatures = scanner->signatures();
  if (!signatures) return complain(signatures.error());
  Database database(database_options(*config, "cloakroom-rescan"));
  const auto begun = PgRescans(database, "").begin(*signatures, true);
  return begun ? kExitDone : complain(begun.error());
}

// Of several processes one also keeps house: who has this lock, which ends with its process.
class Housekeeper {
 public:
  Housekeeper() : lock_(::memfd_create("cloakroom-housekeeper", MFD_CLOEXEC)) {}
  bool is_me() const {
    struct flock whole {};
    whole.l_type = F_WRLCK;
    whole.l_whence = SEEK_SET;
    return !lock_ || ::fcntl(lock_.get(), F_SETLK, &whole) == 0;
  }

 private:
  UniqueFd lock_;
};

int work(const Config& settings, bool once, const Housekeeper& housekeeper) {
  const Config* const config = &settings;
  const StopSignals stop;
  // Not --once: that is for hands, perhaps root's, and without capabilities root may remove nobody else's files.
  // A folder that is missing would stand for its parent: the cache, only where there is one to be purged.
  const std::vector<std::string> cache(config->has_s3() ? 1 : 0, config->nginx_cache_path);
  if (const Status confined = once ? Status(Ok{}) : confine(*config, cache); !confined) {
    return complain(confined.error());
  }
  const SystemClock clock;
  const auto stores = make_stores(*config, clock);
  if (!stores) return complain(stores.error());
  Database database(database_options(*config, "cloakroom-jobs"));
  const std::string runner_name = std::to_string(::getpid()) + "-" + random_hex(8);
  PgJobQueue queue(database, runner_name, kept_prefix_of(*config));
  PgRows rows(database);
  Sweeper sweeper(*config, *stores, database, std::nullopt);
  PgDirectUploads direct_rows(database);
  TicketSweeper tickets(direct_rows, config->orphan_grace);
  RateSweeper rates(database);
  const DirectStoreOfKind direct_of = [&](StoreKind kind) -> DirectStore* {
    const S3Set* const s3 = stores->s3_of(kind);
    return s3 == nullptr ? nullptr : s3->direct_guarded.get();
  };
  JobHandlers handlers{{"abort_multipart", abort_multipart_handler(direct_of)}};
  PgVariants variant_rows(database);
  auto imager = make_imager(*config);
  std::optional<Variants> variants;
  if (imager) variants.emplace(make_variants(*config, *stores, rows, variant_rows, *imager, clock));
  handlers.emplace("make_variants", make_variants_handler(variants ? &*variants : nullptr, config->jobs.most_failures));
  std::optional<Mover> mover;
  if (stores->for_kept_files(*config) != nullptr) {
    mover.emplace(make_mover(*config, *stores, rows, clock));
    handlers.emplace("move_object", move_object_handler(*mover));
  }
  PgCopies copies(database);
  std::optional<Copier> copier;
  if (stores->s3) {
    copier.emplace(make_copier(*config, *stores, rows, copies, clock));
    handlers.emplace("copy_object", copy_object_handler(*copier));
  }
  Repairs repairs = make_repairs(*config, *stores, copies);
  handlers.emplace("repair_object", repair_object_handler(repairs));
  const StoreOfKind store_of = [&](StoreKind kind) { return stores->all().by_kind(kind); };
  PgTombstones tombstones(database);
  const JobGroupHandlers together{{"delete_object", delete_objects_handler(store_of)},
                                  {"purge_tombstone", purge_tombstones_handler(tombstones, store_of)}};
  PgDeletions deletions(database);
  std::optional<CachePurger> purger;
  if (config->has_s3()) purger.emplace(deletions, CachePurgerOptions{config->nginx_cache_path, config->instance});
  auto scanner = make_scanner(*config);
  PgRescans walk(database, runner_name);
  std::optional<Rescan> rescan;
  if (scanner && config->rescan_bytes_per_second > 0) {
    rescan.emplace(
        Rescan::Parts{rows, walk, *scanner, [&](StoreKind kind) { return stores->all().by_kind(kind); }},
        RescanRules{.max_bytes = config->clamd_max_bytes, .bytes_per_second = config->rescan_bytes_per_second});
  }
  const auto housekeeping = [&] {
    if (!housekeeper.is_me()) return;
    sweeper.sweep_when_due();
    tickets.sweep_when_due();
    if (rescan) rescan->step();
    rates.sweep_when_due();
    if (purger) purger->purge();
  };
  std::function<std::chrono::milliseconds()> housekeeping_in;
  if (rescan) {
    housekeeping_in = [&] {
      return housekeeper.is_me() ? rescan->until_due()
                                 : std::chrono::duration_cast<std::chrono::milliseconds>(kForOthers);
    };
  }
  Runner runner(queue, handlers,
                {.most_failures = config->jobs.most_failures,
                 .longest_retry = {{"move_object", kLongestMoveRetry},
                                   {"make_variants", kLongestPictureRetry},
                                   {"copy_object", kLongestCopyRetry},
                                   {"repair_object", kLongestCopyRetry}},
                 .together = together,
                 .housekeeping = housekeeping,
                 .housekeeping_in = housekeeping_in});
  if (!once) {
    log(Level::kInfo, "jobs.ready", {{"pid", ::getpid()}});
    runner.run(stop.fd());
    return kExitDone;
  }
  tickets.sweep_when_due();
  while (true) {
    const auto taken = runner.run_batch(stop.fd());
    if (!taken) return complain(taken.error());
    if (*taken > 0) continue;
    if (purger) purger->purge();
    if (!runner.is_paused()) return kExitDone;
    std::cerr << "cloakroom: the store is away; what needs it is left for later\n";
    return kExitTryLater;
  }
}

int run_jobs(bool once) {
  const auto config = settings_or_complain();
  if (!config) return kExitConfig;
  const Housekeeper housekeeper;
  if (once || config->jobs.parallel == 1) return work(*config, once, housekeeper);
  return run_prefork({.workers = config->jobs.parallel,
                      .shutdown_timeout = config->shutdown_timeout,
                      .program = "/proc/self/exe",
                      .arguments = {},
                      .child = [&] { return work(*config, false, housekeeper); }},
                     {});
}

struct Wishes {
  bool once = false, sweep = false, rescan = false;
  bool status = false, metrics = false, failed = false, json = false;
  std::optional<std::string> retry;
  std::optional<std::int64_t> older_than;
};

int run_chosen(const Wishes& wishes) {
  if (wishes.status) return run_job_status(wishes.json);
  if (wishes.metrics) return run_job_metrics();
  if (wishes.failed) return run_failed_jobs(wishes.json);
  if (wishes.retry) return run_job_retry(*wishes.retry);
  if (wishes.rescan) return run_rescan();
  if (!wishes.sweep) return run_jobs(wishes.once);
  std::optional<std::chrono::seconds> older_than;
  if (wishes.older_than) older_than = std::chrono::seconds(*wishes.older_than);
  return run_sweep(older_than);
}

}  // namespace

void add_jobs(CommandLine& line) {
  const auto wishes = std::make_shared<Wishes>();
  const OptionSet command = line.command("jobs", "work through the job table until stopped; several may run at once",
                                         [wishes] { return run_chosen(*wishes); });
  const Option once = command.flag("--once", wishes->once, "do what is due now, then exit");
  const Option sweep =
      command.flag("--sweep", wishes->sweep, "remove what killed processes left now (else every 30 min), then exit");
  sweep.excludes(once);
  command
      .flag("--rescan", wishes->rescan,
            "have the runners scan all files for viruses again, whatever clamd's version says, then exit")
      .excludes(once)
      .excludes(sweep);
  command
      .value("--older-than", wishes->older_than,
             "with --sweep: seconds after which nobody is still at work on it; uploads under way that are older "
             "are broken off (default: a day for files, ORPHAN_GRACE or an hour for uploads to S3, for direct "
             "ones DIRECT_UPLOAD_EXPIRES "
             "and ORPHAN_GRACE)")
      .needs(sweep)
      .between(0, kLongestSeconds);
  const Option status = command.flag("--status", wishes->status, "what is in the table, by kind, then exit");
  const Option failed =
      command.flag("--failed", wishes->failed, "the jobs that failed too often, and why, then exit").excludes(status);
  command.value("--retry", wishes->retry, "have that job of --failed tried again, or all of them, then exit")
      .excludes(status)
      .excludes(failed)
      .shown_as("ID|all");
  command.flag("--metrics", wishes->metrics, "the numbers of --status as Prometheus reads them, then exit")
      .excludes(status)
      .excludes(failed);
  command.flag("--json", wishes->json, "with --status or --failed: as JSON");
}

}  // namespace cloakroom

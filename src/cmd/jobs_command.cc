// jobs_command.cc — `cloakroom jobs`: the runner of the job table; deletes objects whose rows are gone, moves files
// that were kept aside, sweeps left-overs.
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <iostream>
#include <optional>

#include "base/id.h"
#include "base/log.h"
#include "cmd/commands.h"
#include "cmd/confine.h"
#include "cmd/wiring.h"
#include "db/deletions.h"
#include "db/jobs.h"
#include "db/rescans.h"
#include "domain/rescan.h"
#include "jobs/abort_multipart.h"
#include "jobs/delete_object.h"
#include "jobs/make_variants.h"
#include "jobs/move_object.h"
#include "jobs/purge_cache.h"
#include "storage/s3_leftovers.h"

namespace cloakroom {
namespace {

constexpr std::chrono::hours kLeftOverAge{24};  // no body file is written for as long
constexpr std::chrono::hours kUploadAge{1};  // and no upload to the store takes as long, nor longer than ORPHAN_GRACE
constexpr std::chrono::minutes kSweepEvery{30};
constexpr std::chrono::minutes kTicketsEvery{1};
constexpr std::chrono::minutes kLongestPictureRetry{5};  // who makes pictures is back long before
constexpr std::chrono::seconds kLongestMoveRetry{15};    // the store is back long before a back-off of minutes is over

// Readable once SIGTERM or SIGINT came; the signals are blocked, so nothing is interrupted.
UniqueFd stop_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int s : {SIGTERM, SIGINT}) sigaddset(&set, s);
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  return UniqueFd(::signalfd(-1, &set, SFD_CLOEXEC));
}

// Temporary files of killed workers, bodies of a killed nginx, parts of uploads to the store that nobody completed.
class Sweeper {
 public:
  // `older_than` overrides the ages by which it is known that nobody is still at work.
  Sweeper(const Config& config, const StoreSet& stores, Database& database,
          std::optional<std::chrono::seconds> older_than)
      : folders_{config.storage_path + "/.tmp", config.body_temp_path},
        file_age_(older_than.value_or(kLeftOverAge)),
        s3_(stores.s3.get()),
        key_prefix_(config.key_prefix),
        upload_age_(older_than.value_or(std::max<std::chrono::seconds>(config.orphan_grace, kUploadAge))),
        direct_age_(older_than.value_or(config.direct_upload_expires + config.orphan_grace)),
        database_(database),
        tickets_(database) {}

  void sweep_when_due() {
    const auto now = std::chrono::steady_clock::now();
    if (now < next_) return;
    next_ = now + kSweepEvery;
    sweep();
  }

  // False when something could not be looked at or removed; the log says what.
  bool sweep() {
    bool all_well = true;
    for (const std::string& folder : folders_) {
      const auto removed = sweep_old_files(folder, file_age_);
      const bool no_folder = !removed && removed.error().code == Errc::kNotFound;
      all_well = (no_folder || report("files", removed)) && all_well;
    }
    if (s3_ == nullptr) return all_well;
    // By the store's clock, which the first call teaches if ours is wrong: a host that is an hour ahead would break off
    // what others are sending.
    const Status there = s3_->ready();
    if (!there) return report("uploads", Result<std::size_t>(there.error()));
    const TimePoint now = s3_->client().now();
    const auto is_promised = [this](const Uuid& ticket, std::string_view upload_id) -> Result<bool> {
      database_.begin_request();
      TRY_ASSIGN(const auto found, tickets_.find(ticket));
      return found && found->upload_id == upload_id;
    };
    const auto aborted =
        abort_leftovers(s3_->client(), {key_prefix_, now - upload_age_, now - direct_age_, is_promised});
    return report("uploads", aborted) && all_well;
  }

 private:
  static bool report(std::string_view what, const Result<std::size_t>& removed) {
    if (!removed) log(Level::kWarning, "sweep.failed", {{"what", what}, {"detail", removed.error().detail}});
    if (removed && *removed > 0) log(Level::kInfo, "sweep.done", {{what, *removed}});
    return removed.has_value();
  }

  std::vector<std::string> folders_;
  std::chrono::seconds file_age_;
  S3Store* s3_;
  std::string key_prefix_;
  std::chrono::seconds upload_age_, direct_age_;
  Database& database_;
  PgDirectUploads tickets_;
  std::chrono::steady_clock::time_point next_{};
};

// Rows of direct uploads that expired.
class TicketSweeper {
 public:
  TicketSweeper(DirectUploadRows& rows, std::chrono::seconds grace) : rows_(rows), grace_(grace) {}

  void sweep_when_due() {
    const auto now = std::chrono::steady_clock::now();
    if (now < next_) return;
    next_ = now + kTicketsEvery;
    const auto removed = rows_.clean_up(grace_);
    if (removed && *removed > 0) log(Level::kInfo, "direct_uploads.expired", {{"tickets", *removed}});
    if (!removed) log(Level::kWarning, "direct_uploads.sweep_failed", {{"detail", removed.error().detail}});
  }

 private:
  DirectUploadRows& rows_;
  std::chrono::seconds grace_;
  std::chrono::steady_clock::time_point next_{};
};

// Budgets that are full again.
class RateSweeper {
 public:
  explicit RateSweeper(Database& database) : rates_(database) {}

  void sweep_when_due() {
    const auto now = std::chrono::steady_clock::now();
    if (now < next_) return;
    next_ = now + kTicketsEvery;
    const auto removed = rates_.forget();
    if (!removed) log(Level::kWarning, "rate_limits.sweep_failed", {{"detail", removed.error().detail}});
  }

 private:
  PgRateLimits rates_;
  std::chrono::steady_clock::time_point next_{};
};

int run_sweep(std::optional<std::chrono::seconds> older_than) {
  const auto config = settings_or_complain();
  if (!config) return kExitConfig;
  const SystemClock clock;
  const auto stores = make_stores(*config, clock);
  if (!stores) return complain(stores.error());
  Database database(database_options(*config, "cloakroom-sweep"));
  return Sweeper(*config, *stores, database, older_than).sweep() ? kExitDone : kExitTryLater;
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

int run_jobs(bool once) {
  const auto config = settings_or_complain();
  if (!config) return kExitConfig;
  const UniqueFd stop = stop_signals();
  // Not --once: that is for hands, perhaps root's, and without capabilities root may remove nobody else's files.
  // A folder that is missing would stand for its parent: the cache, only where there is one to be purged.
  const std::vector<std::string> cache(config->s3 ? 1 : 0, config->nginx_cache_path);
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
  JobHandlers handlers{{"abort_multipart", abort_multipart_handler(stores->s3_direct_guarded.get())}};
  PgVariants variant_rows(database);
  auto imager = make_imager(*config);
  std::optional<Variants> variants;
  if (imager) variants.emplace(make_variants(*config, *stores, rows, variant_rows, *imager, clock));
  handlers.emplace("make_variants", make_variants_handler(variants ? &*variants : nullptr));
  std::optional<Mover> mover;
  if (stores->s3) {
    mover.emplace(make_mover(*config, *stores, rows, clock));
    handlers.emplace("move_object", move_object_handler(*mover));
  }
  const JobGroupHandlers together{
      {"delete_object", delete_objects_handler([&](StoreKind kind) { return stores->all().by_kind(kind); })}};
  PgDeletions deletions(database);
  std::optional<CachePurger> purger;
  if (config->s3) purger.emplace(deletions, CachePurgerOptions{config->nginx_cache_path, config->instance});
  auto scanner = make_scanner(*config);
  PgRescans walk(database, runner_name);
  std::optional<Rescan> rescan;
  if (scanner && config->rescan_bytes_per_second > 0) {
    rescan.emplace(
        Rescan::Parts{rows, walk, *scanner, [&](StoreKind kind) { return stores->all().by_kind(kind); }},
        RescanRules{.max_bytes = config->clamd_max_bytes, .bytes_per_second = config->rescan_bytes_per_second});
  }
  const auto housekeeping = [&] {
    sweeper.sweep_when_due();
    tickets.sweep_when_due();
    if (rescan) rescan->step();
    rates.sweep_when_due();
    if (purger) purger->purge();
  };
  std::function<std::chrono::milliseconds()> housekeeping_in;
  if (rescan) housekeeping_in = [&] { return rescan->until_due(); };
  Runner runner(queue, handlers,
                {.longest_retry = {{"move_object", kLongestMoveRetry}, {"make_variants", kLongestPictureRetry}},
                 .together = together,
                 .housekeeping = housekeeping,
                 .housekeeping_in = housekeeping_in});
  if (!once) {
    log(Level::kInfo, "jobs.ready", {{"pid", ::getpid()}});
    runner.run(stop.get());
    return kExitDone;
  }
  tickets.sweep_when_due();
  while (true) {
    const auto taken = runner.run_batch(stop.get());
    if (!taken) return complain(taken.error());
    if (*taken > 0) continue;
    if (purger) purger->purge();
    return kExitDone;
  }
}

}  // namespace

void add_jobs(CLI::App& cli, Command& chosen) {
  struct Wishes {
    bool once = false, sweep = false, rescan = false;
    std::optional<std::int64_t> older_than;
  };
  const auto wishes = std::make_shared<Wishes>();
  CLI::App* command = cli.add_subcommand("jobs", "work through the job table until stopped; several may run at once");
  CLI::Option* once = command->add_flag("--once", wishes->once, "do what is due now, then exit");
  CLI::Option* sweep = command->add_flag("--sweep", wishes->sweep,
                                         "remove what killed processes left now (else every 30 min), then exit");
  sweep->excludes(once);
  command
      ->add_flag("--rescan", wishes->rescan,
                 "have the runners scan all files for viruses again, whatever clamd's version says, then exit")
      ->excludes(once)
      ->excludes(sweep);
  command
      ->add_option("--older-than", wishes->older_than,
                   "with --sweep: seconds after which nobody is still at work on it; uploads under way that are older "
                   "are broken off (default: a day for files, ORPHAN_GRACE or an hour for uploads to S3, for direct "
                   "ones DIRECT_UPLOAD_EXPIRES "
                   "and ORPHAN_GRACE)")
      ->needs(sweep)
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{366} * 86400));
  command->callback([wishes, &chosen] {
    chosen = [wishes] {
      if (wishes->rescan) return run_rescan();
      if (!wishes->sweep) return run_jobs(wishes->once);
      std::optional<std::chrono::seconds> older_than;
      if (wishes->older_than) older_than = std::chrono::seconds(*wishes->older_than);
      return run_sweep(older_than);
    };
  });
}

}  // namespace cloakroom

// jobs_command.cc — `cloakroom jobs`: the runner of the job table; deletes objects whose rows are gone, moves files
// that were kept aside, sweeps left-overs.
#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>
#include <iostream>
#include <optional>

#include "base/id.h"
#include "base/log.h"
#include "cmd/commands.h"
#include "cmd/wiring.h"
#include "db/jobs.h"
#include "jobs/delete_object.h"
#include "jobs/move_object.h"

namespace cloakroom {
namespace {

constexpr std::chrono::hours kLeftOverAge{24};  // no upload takes as long
constexpr std::chrono::minutes kSweepEvery{30};
constexpr std::chrono::seconds kLongestMoveRetry{15};  // the store is back long before a back-off of minutes is over

// Readable once SIGTERM or SIGINT came; the signals are blocked, so nothing is interrupted.
UniqueFd stop_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int s : {SIGTERM, SIGINT}) sigaddset(&set, s);
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  return UniqueFd(::signalfd(-1, &set, SFD_CLOEXEC));
}

// Temporary files of killed workers, bodies of a killed nginx.
class Sweeper {
 public:
  explicit Sweeper(const Config& config) : folders_{config.storage_path + "/.tmp", config.body_temp_path} {}

  void sweep_when_due() {
    const auto now = std::chrono::steady_clock::now();
    if (now < next_) return;
    next_ = now + kSweepEvery;
    for (const std::string& folder : folders_) {
      const auto removed = sweep_old_files(folder, kLeftOverAge);
      if (removed && *removed > 0) log(Level::kInfo, "sweep.done", {{"files", *removed}});
      if (!removed && removed.error().code != Errc::kNotFound) {
        log(Level::kWarning, "sweep.failed", {{"detail", removed.error().detail}});
      }
    }
  }

 private:
  std::vector<std::string> folders_;
  std::chrono::steady_clock::time_point next_{};
};

int run_jobs(bool once) {
  const auto config = settings_or_complain();
  if (!config) return kExitConfig;
  const UniqueFd stop = stop_signals();
  const SystemClock clock;
  const auto stores = make_stores(*config, clock);
  if (!stores) return complain(stores.error());
  Database database(database_options(*config, "cloakroom-jobs"));
  PgJobQueue queue(database, std::to_string(::getpid()) + "-" + random_hex(8), kept_prefix_of(*config));
  PgRows rows(database);
  Sweeper sweeper(*config);
  JobHandlers handlers{
      {"delete_object", delete_object_handler([&](StoreKind kind) { return stores->all().by_kind(kind); })}};
  std::optional<Mover> mover;
  if (stores->s3) {
    mover.emplace(make_mover(*config, *stores, rows, clock));
    handlers.emplace("move_object", move_object_handler(*mover));
  }
  Runner runner(queue, handlers, {.longest_retry = {{"move_object", kLongestMoveRetry}}, .housekeeping = [&] {
                                    sweeper.sweep_when_due();
                                  }});
  if (!once) {
    log(Level::kInfo, "jobs.ready", {{"pid", ::getpid()}});
    runner.run(stop.get());
    return kExitDone;
  }
  while (true) {
    const auto taken = runner.run_batch(stop.get());
    if (!taken) return complain(taken.error());
    if (*taken == 0) return kExitDone;
  }
}

}  // namespace

void add_jobs(CLI::App& cli, Command& chosen) {
  const auto once = std::make_shared<bool>(false);
  CLI::App* command = cli.add_subcommand("jobs", "work through the job table until stopped; several may run at once");
  command->add_flag("--once", *once, "do what is due now, then exit");
  command->callback([once, &chosen] { chosen = [once] { return run_jobs(*once); }; });
}

}  // namespace cloakroom

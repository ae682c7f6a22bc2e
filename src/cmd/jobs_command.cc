// jobs_command.cc — `cloakroom jobs`: the runner of the job table; deletes objects whose rows are gone, sweeps
// left-overs.
#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>
#include <iostream>

#include "base/id.h"
#include "base/log.h"
#include "cmd/commands.h"
#include "cmd/wiring.h"
#include "db/jobs.h"
#include "jobs/abort_multipart.h"
#include "jobs/delete_object.h"

namespace cloakroom {
namespace {

constexpr std::chrono::hours kLeftOverAge{24};  // no upload takes as long
constexpr std::chrono::minutes kSweepEvery{30};
constexpr std::chrono::minutes kTicketsEvery{1};

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

int run_jobs(bool once) {
  const auto config = settings_or_complain();
  if (!config) return kExitConfig;
  const UniqueFd stop = stop_signals();
  const SystemClock clock;
  const auto stores = make_stores(*config, clock);
  if (!stores) return complain(stores.error());
  Database database(database_options(*config, "cloakroom-jobs"));
  PgJobQueue queue(database, std::to_string(::getpid()) + "-" + random_hex(8));
  Sweeper sweeper(*config);
  PgDirectUploads direct_rows(database);
  TicketSweeper tickets(direct_rows, config->orphan_grace);
  const JobHandlers handlers{
      {"abort_multipart", abort_multipart_handler(stores->s3_direct.get())},
      {"delete_object", delete_object_handler([&](StoreKind kind) { return stores->all().by_kind(kind); })}};
  Runner runner(queue, handlers, {.housekeeping = [&] {
                  sweeper.sweep_when_due();
                  tickets.sweep_when_due();
                }});
  if (!once) {
    log(Level::kInfo, "jobs.ready", {{"pid", ::getpid()}});
    runner.run(stop.get());
    return kExitDone;
  }
  tickets.sweep_when_due();
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

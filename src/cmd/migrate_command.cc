// migrate_command.cc — `cloakroom migrate`: brings the database to the version this program knows.
#include "db/migrate.h"

#include <iostream>

#include "cmd/commands.h"
#include "cmd/wiring.h"
#include "db/deletions.h"
#include "db/usage.h"

namespace cloakroom {
namespace {

bool has_quota(const LimitsConfig& limits) {
  const auto is_on = [](const LimitsConfig::Amount& amount) { return amount.bytes > 0 || amount.files > 0; };
  return is_on(limits.user_quota) || is_on(limits.dialog_quota);
}

struct Options {
  std::string folder = share_folder() + "/sql";
  bool json = false;
};

int run_migrate(const Options& options) {
  const auto config = settings_or_complain();
  if (!config) return kExitConfig;
  Database database(database_options(*config, "cloakroom-migrate"));
  const auto report = migrate(database, options.folder);
  if (!report) return complain(report.error());
  if (const Status done = PgDeletions(database).renumber(); !done) return complain(done.error());
  bool counted = false;
  if (has_quota(config->limits)) {
    const auto begun = PgUsage(database).begin();
    if (!begun) return complain(begun.error());
    counted = *begun;
  }
  if (options.json) {
    std::cout << "{\"from\":" << report->from_version << ",\"to\":" << report->to_version << "}\n";
    return kExitDone;
  }
  if (counted) std::cout << "counted what users and dialogs take, for the quotas\n";
  if (report->applied.empty()) {
    std::cout << "nothing to do: the database is at version " << report->to_version << "\n";
  } else {
    for (const std::string& name : report->applied) std::cout << "applied " << name << "\n";
  }
  return kExitDone;
}

}  // namespace

void add_migrate(CommandLine& line) {
  const auto options = std::make_shared<Options>();
  const OptionSet command =
      line.command("migrate", "make or update the database schema; safe to repeat and on a live system",
                   [options] { return run_migrate(*options); });
  command.value("--sql", options->folder, "folder of the migrations").shows_default();
  command.flag("--json", options->json, "report as JSON");
}

}  // namespace cloakroom

// jobs_view.cc — tables for people, JSON for monitors.
#include "cmd/jobs_view.h"

#include <fmt/format.h>

#include <iostream>

#include "base/encode.h"
#include "base/json.h"
#include "cmd/commands.h"
#include "cmd/progress.h"
#include "cmd/wiring.h"
#include "db/job_overview.h"
#include "domain/copy_metrics.h"
#include "domain/job_metrics.h"

namespace cloakroom {
namespace {

constexpr std::size_t kMostShown = 1000;

std::string in_words(std::chrono::seconds age) {
  const auto s = age.count();
  if (s < 120) return fmt::format("{} s", s);
  if (s < 7200) return fmt::format("{} min", s / 60);
  if (s < 172800) return fmt::format("{} h", s / 3600);
  return fmt::format("{} d", s / 86400);
}

Json as_json(const JobKindStatus& one) {
  Summary out;
  out.text("kind", one.kind).count("due", one.due).count("running", one.running).count("later", one.later);
  out.count("failing", one.failing).count("dead", one.dead);
  out.count("oldest_seconds", static_cast<std::uint64_t>(one.oldest.count()));
  return std::move(out).take();
}

Json as_json(const DeadJob& one) {
  Summary out;
  out.count("id", static_cast<std::uint64_t>(one.id)).text("kind", one.kind).text("error", one.error);
  out.count("attempts", static_cast<std::uint64_t>(one.attempts));
  out.count("failures", static_cast<std::uint64_t>(one.failures));
  out.text("created_at", iso8601_ms(one.created_at)).text("died_at", iso8601_ms(one.died_at));
  return std::move(out).take();
}

template <class One>
std::string list_as_json(const std::vector<One>& all) {
  const Json list(json_array());
  for (const One& one : all) json_array_append_new(list.get(), as_json(one).release());
  return dump_json(list);
}

// Runs `look` with the queue; exit codes for settings and an absent database are the same for all of them.
template <class Look>
int with_queue(const Look& look) {
  const auto config = settings_or_complain();
  if (!config) return kExitConfig;
  Database database(database_options(*config, "cloakroom-jobs-view"));
  PgJobOverview overview(database);
  return look(overview);
}

}  // namespace

int run_job_status(bool as_json_wanted) {
  return with_queue([&](JobOverview& overview) {
    const auto kinds = overview.by_kind();
    if (!kinds) return complain(kinds.error());
    std::uint64_t dead = 0;
    for (const JobKindStatus& one : *kinds) dead += one.dead;
    if (as_json_wanted) {
      std::cout << list_as_json(*kinds) << "\n";
      return dead > 0 ? kExitProblems : kExitDone;
    }
    if (kinds->empty()) std::cout << "there are no jobs\n";
    if (!kinds->empty()) {
      std::cout << fmt::format("{:<18} {:>9} {:>9} {:>9} {:>9} {:>9}  {}\n", "kind", "due", "running", "later",
                               "failing", "dead", "oldest");
    }
    for (const JobKindStatus& one : *kinds) {
      std::cout << fmt::format("{:<18} {:>9} {:>9} {:>9} {:>9} {:>9}  {}\n", one.kind, one.due, one.running, one.later,
                               one.failing, one.dead, in_words(one.oldest));
    }
    if (dead > 0) std::cout << "why some are dead: cloakroom jobs --failed\n";
    return dead > 0 ? kExitProblems : kExitDone;
  });
}

int run_job_metrics() {
  const auto config = settings_or_complain();
  if (!config) return kExitConfig;
  Database database(database_options(*config, "cloakroom-jobs-view"));
  const auto kinds = PgJobOverview(database).by_kind();
  if (!kinds) return complain(kinds.error());
  std::cout << job_metrics(*kinds);
  if (!is_hybrid(*config)) return kExitDone;
  const auto gap = PgCopies(database).gap();
  if (!gap) return complain(gap.error());
  std::cout << copy_metrics(*gap);
  return kExitDone;
}

int run_failed_jobs(bool as_json_wanted) {
  return with_queue([&](JobOverview& overview) {
    const auto dead = overview.dead(kMostShown);
    if (!dead) return complain(dead.error());
    const int code = dead->empty() ? kExitDone : kExitProblems;
    if (as_json_wanted) {
      std::cout << list_as_json(*dead) << "\n";
      return code;
    }
    for (const DeadJob& one : *dead) {
      std::cout << fmt::format("{} {} given up {} after {} attempts: {}\n", one.id, one.kind, iso8601_ms(one.died_at),
                               one.attempts, one.error);
    }
    std::cout << (dead->empty() ? "no job was given up\n"
                                : "try them again, once the reason is mended: cloakroom jobs --retry ID, or all\n");
    return code;
  });
}

int run_job_retry(const std::string& which) {
  std::optional<std::int64_t> id;
  if (which != "all") {
    const auto number = parse_u64(which);
    if (!number || *number > static_cast<std::uint64_t>(INT64_MAX)) {
      std::cerr << "--retry takes the id of a job, as --failed shows it, or all\n";
      return kExitUsage;
    }
    id = static_cast<std::int64_t>(*number);
  }
  return with_queue([&](JobOverview& overview) {
    const auto risen = overview.retry(id);
    if (!risen) return complain(risen.error());
    std::cout << *risen << (*risen == 1 ? " job is tried again\n" : " jobs are tried again\n");
    return id && *risen == 0 ? kExitProblems : kExitDone;
  });
}

}  // namespace cloakroom

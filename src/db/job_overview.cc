// job_overview.cc — the statements that look at the queue.
#include "db/job_overview.h"

namespace cloakroom {
namespace {

constexpr Statement kByKind{
    "jobs_by_kind",
    "SELECT kind, coalesce(due, 0), coalesce(running, 0), coalesce(later, 0), coalesce(failing, 0), coalesce(dead, 0),"
    " coalesce(oldest, 0) FROM (SELECT kind,"
    " count(*) FILTER (WHERE run_at <= now() AND (locked_until IS NULL OR locked_until < now())) AS due,"
    " count(*) FILTER (WHERE locked_until >= now()) AS running,"
    " count(*) FILTER (WHERE run_at > now() AND (locked_until IS NULL OR locked_until < now())) AS later,"
    " count(*) FILTER (WHERE last_error IS NOT NULL) AS failing,"
    " extract(epoch FROM greatest(now() - min(coalesce(begun_at, run_at)), interval '0'))::int8 AS oldest"
    " FROM jobs GROUP BY kind) alive FULL JOIN (SELECT kind, count(*) AS dead FROM dead_jobs GROUP BY kind) dead"
    " USING (kind) ORDER BY kind"};

constexpr Statement kDead{
    "dead_jobs",
    "SELECT id, kind, last_error, attempts::int8, failures::int8, created_at, died_at FROM dead_jobs"
    " ORDER BY died_at DESC, id DESC LIMIT $1::int8"};

// attempts: one, so that its pauses are short again, and not none. A request of its earlier life may still be carried
// out, and a move calls off what nobody ever began (cloakroom_plan_moves).
constexpr Statement kRetry{"retry_jobs",
                           "WITH risen AS (DELETE FROM dead_jobs WHERE $1::int8 IS NULL OR id = $1::int8 RETURNING *),"
                           " made AS (INSERT INTO jobs (id, kind, payload, priority, created_at, last_error, attempts)"
                           " OVERRIDING SYSTEM VALUE"
                           " SELECT id, kind, payload, priority, created_at, last_error, 1 FROM risen RETURNING 1)"
                           " SELECT count(*) FROM made"};

constexpr Statement kWake{"wake_runners", "SELECT pg_notify('cloakroom_jobs', '')"};

std::uint64_t number(const ResultSet& set, int row, int column) {
  return static_cast<std::uint64_t>(set.integer(row, column));
}

}  // namespace

Result<std::vector<JobKindStatus>> PgJobOverview::by_kind() {
  TRY_ASSIGN(const auto set, database_.run(kByKind, Params{}));
  std::vector<JobKindStatus> out;
  for (int row = 0; row < set.rows(); ++row) {
    out.push_back({.kind = std::string(set.text(row, 0)),
                   .due = number(set, row, 1),
                   .running = number(set, row, 2),
                   .later = number(set, row, 3),
                   .failing = number(set, row, 4),
                   .dead = number(set, row, 5),
                   .oldest = std::chrono::seconds(set.integer(row, 6))});
  }
  return out;
}

Result<std::vector<DeadJob>> PgJobOverview::dead(std::size_t most) {
  Params params;
  params.int8(static_cast<std::int64_t>(most));
  TRY_ASSIGN(const auto set, database_.run(kDead, params));
  std::vector<DeadJob> out;
  for (int row = 0; row < set.rows(); ++row) {
    out.push_back({.id = set.integer(row, 0),
                   .kind = std::string(set.text(row, 1)),
                   .error = std::string(set.text(row, 2)),
                   .attempts = static_cast<int>(set.integer(row, 3)),
                   .failures = static_cast<int>(set.integer(row, 4)),
                   .created_at = set.time(row, 5),
                   .died_at = set.time(row, 6)});
  }
  return out;
}

Result<std::uint64_t> PgJobOverview::retry(std::optional<std::int64_t> id) {
  Params params;
  if (id) {
    params.int8(*id);
  } else {
    params.null();
  }
  TRY_ASSIGN(const auto set, database_.run(kRetry, params));
  const std::uint64_t risen = number(set, 0, 0);
  if (risen > 0) TRY(database_.run(kWake, Params{}));
  return risen;
}

}  // namespace cloakroom

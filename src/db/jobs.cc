// jobs.cc — the statements of the job table.
#include "db/jobs.h"

#include <algorithm>

namespace cloakroom {
namespace {

// FOR UPDATE looks at the newest version of a row, so a job that another runner took after our snapshot is left out.
// The order of RETURNING is not that of the inner SELECT, hence the outer one.
constexpr Statement kClaim{"claim_jobs",
                           "WITH due AS (SELECT id FROM jobs WHERE run_at <= now()"
                           " AND (locked_until IS NULL OR locked_until < now())"
                           " AND (coalesce(payload->>'key', '') NOT LIKE '.kept/%'"
                           " OR starts_with(payload->>'key', $4::text)) AND priority >= $5::int4"
                           " ORDER BY priority DESC, run_at, id LIMIT $1::int8 FOR UPDATE SKIP LOCKED),"
                           " taken AS (UPDATE jobs j SET locked_until = now() + $3::int8 * interval '1 second',"
                           " locked_by = $2::text, attempts = j.attempts + 1,"
                           " failures = j.failures + (j.locked_until IS NOT NULL)::int,"
                           " begun_at = coalesce(j.begun_at, now()) FROM due WHERE j.id = due.id"
                           " RETURNING j.id, j.kind, j.payload::text, j.attempts, j.failures, j.priority, j.run_at)"
                           " SELECT id, kind, payload, attempts, failures, priority FROM taken"
                           " ORDER BY priority DESC, run_at, id"};

// Before a claim: what uploads promised and did not keep becomes work, and what moves left and nobody reads any more.
// The table of tickets holds uploads under way and a few that died, so it is read whole; of sources there may be
// millions. Whatever was not on a disk leaves nginx's caches, too: no deletion of a row says so later.
constexpr Statement kCollectTickets{
    "collect_tickets",
    "WITH due AS (DELETE FROM deletion_tickets WHERE id IN"
    " (SELECT id FROM deletion_tickets WHERE due_at <= now() FOR UPDATE SKIP LOCKED) RETURNING store, key),"
    " left_behind AS (DELETE FROM moved_sources WHERE (store, key) IN"
    " (SELECT store, key FROM moved_sources WHERE remove_after <= now() ORDER BY remove_after LIMIT 1000"
    " FOR UPDATE SKIP LOCKED) RETURNING store, key, size_bytes),"
    " noted AS (INSERT INTO cache_purges (store, key, size_bytes)"
    " SELECT store, key, size_bytes FROM left_behind WHERE store <> 'local'),"
    " queued AS (INSERT INTO jobs (kind, payload)"
    " SELECT 'delete_object', jsonb_build_object('store', store, 'key', key) FROM"
    " (SELECT store, key FROM due UNION ALL SELECT store, key FROM left_behind) gone)"
    " SELECT count(*) FROM due"};

constexpr Statement kCountDueTickets{"count_due_tickets",
                                     "SELECT count(*) FROM deletion_tickets WHERE due_at <= now()"};

constexpr Statement kDueObjects{"due_tickets",
                                "SELECT store || '/' || key FROM deletion_tickets WHERE due_at <= now()"
                                " ORDER BY due_at, id LIMIT $1::int8"};

constexpr Statement kComplete{"complete_jobs", "DELETE FROM jobs WHERE id = ANY ($1::int8[]) AND locked_by = $2::text"};

constexpr Statement kFail{"fail_job",
                          "UPDATE jobs SET run_at = now() + $3::int8 * interval '1 millisecond', last_error = $4::text,"
                          " failures = failures + $5::int4, locked_until = NULL, locked_by = NULL"
                          " WHERE id = $1::int8 AND locked_by = $2::text"};

constexpr Statement kGiveUp{
    "give_up_job",
    "WITH gone AS (DELETE FROM jobs WHERE id = $1::int8 AND locked_by = $2::text RETURNING *)"
    " INSERT INTO dead_jobs (id, kind, payload, priority, attempts, failures, last_error, created_at)"
    " SELECT id, kind, payload, priority, attempts, failures + $4::int4, $3::text, created_at FROM gone"};

// attempts goes back too: it counts how often the work was begun.
constexpr Statement kRelease{"release_jobs",
                             "UPDATE jobs SET locked_until = NULL, locked_by = NULL, attempts = attempts - 1,"
                             " begun_at = CASE WHEN attempts > 1 THEN begun_at END"
                             " WHERE id = ANY ($1::int8[]) AND locked_by = $2::text"};

// How long until the next job, ticket or source comes due. What is due now and locked is found at the next time-out.
constexpr Statement kNextDue{
    "next_job_due",
    "SELECT ceil(extract(epoch FROM least((SELECT min(run_at) FROM jobs WHERE run_at > now()),"
    " (SELECT min(due_at) FROM deletion_tickets WHERE due_at > now()),"
    " (SELECT min(remove_after) FROM moved_sources WHERE remove_after > now())) - clock_timestamp()) * 1000)::int8"};

PgArray id_array(std::span<const std::int64_t> ids) {
  PgArray array(PgArray::Element::kInt8, ids.size());
  for (const auto id : ids) array.int8(id);
  return array;
}

}  // namespace

// Before the first claim: a job that comes between a claim and LISTEN would wait for the time-out.
Status PgJobQueue::listen() {
  database_.begin_request();
  TRY(database_.connect_if_needed());
  if (listening_on_ == database_.connection_number()) return Ok{};
  TRY(database_.run_once("LISTEN cloakroom_jobs", Params{}));
  listening_on_ = database_.connection_number();
  return Ok{};
}

Result<std::uint64_t> PgJobQueue::collect_tickets() {
  TRY_ASSIGN(const auto set, database_.run(kCollectTickets, Params{}));
  return static_cast<std::uint64_t>(set.integer(0, 0));
}

Result<std::uint64_t> PgJobQueue::count_due_tickets() {
  TRY_ASSIGN(const auto set, database_.run(kCountDueTickets, Params{}));
  return static_cast<std::uint64_t>(set.integer(0, 0));
}

Result<std::vector<std::string>> PgJobQueue::due_objects(std::size_t most) {
  Params params;
  params.int8(static_cast<std::int64_t>(most));
  TRY_ASSIGN(const auto set, database_.run(kDueObjects, params));
  std::vector<std::string> out;
  for (int row = 0; row < set.rows(); ++row) out.emplace_back(set.text(row, 0));
  return out;
}

Result<std::vector<Job>> PgJobQueue::claim(std::size_t most, int least_priority) {
  TRY(listen());
  TRY(collect_tickets());
  Params params;
  params.int8(static_cast<std::int64_t>(most)).text(runner_);
  params.int8(std::chrono::duration_cast<std::chrono::seconds>(kJobLease).count());
  params.text(kept_prefix_).int4(least_priority);
  TRY_ASSIGN(const auto set, database_.run(kClaim, params));
  std::vector<Job> jobs;
  jobs.reserve(static_cast<std::size_t>(set.rows()));
  for (int row = 0; row < set.rows(); ++row) {
    jobs.push_back(Job{.id = set.integer(row, 0),
                       .kind = std::string(set.text(row, 1)),
                       .payload = std::string(set.text(row, 2)),
                       .attempts = static_cast<int>(set.integer(row, 3)),
                       .failures = static_cast<int>(set.integer(row, 4)),
                       .priority = static_cast<int>(set.integer(row, 5))});
  }
  return jobs;
}

Status PgJobQueue::complete(std::span<const std::int64_t> ids) {
  if (ids.empty()) return Ok{};
  Params params;
  params.array(id_array(ids)).text(runner_);
  TRY(database_.run(kComplete, params));
  return Ok{};
}

Status PgJobQueue::fail(std::int64_t id, std::chrono::milliseconds again_in, std::string_view error, int failure) {
  Params params;
  params.int8(id).text(runner_).int8(again_in.count()).text(error).int4(failure);
  TRY(database_.run(kFail, params));
  return Ok{};
}

Status PgJobQueue::give_up(std::int64_t id, std::string_view error, int failure) {
  Params params;
  params.int8(id).text(runner_).text(error).int4(failure);
  TRY(database_.run(kGiveUp, params));
  return Ok{};
}

Status PgJobQueue::release(std::span<const std::int64_t> ids) {
  if (ids.empty()) return Ok{};
  Params params;
  params.array(id_array(ids)).text(runner_);
  TRY(database_.run(kRelease, params));
  return Ok{};
}

Result<QueueWait> PgJobQueue::wait(int stop_fd, std::chrono::milliseconds most) {
  TRY(listen());
  TRY_ASSIGN(const auto next, database_.run(kNextDue, Params{}));
  if (!next.is_null(0, 0))
    most = std::clamp(std::chrono::milliseconds(next.integer(0, 0)), std::chrono::milliseconds(1), most);
  TRY_ASSIGN(const auto outcome, database_.wait(stop_fd, most));
  if (outcome == WaitOutcome::kStopped) return QueueWait::kStopped;
  return outcome == WaitOutcome::kNotified ? QueueWait::kWork : QueueWait::kTimeout;
}

}  // namespace cloakroom

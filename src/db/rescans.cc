// rescans.cc — the statements of the walk.
#include "db/rescans.h"

#include "db/attachments.h"

namespace cloakroom {
namespace {

constexpr Statement kBegin{"begin_rescan",
                           "INSERT INTO rescans (signatures) VALUES ($1::int8) ON CONFLICT (single) DO UPDATE"
                           " SET signatures = $1::int8, after = DEFAULT, finished_at = NULL, held_by = NULL,"
                           " held_until = NULL WHERE rescans.signatures < $1::int8 OR $2::bool"};

constexpr Statement kHold{"hold_rescan",
                          "UPDATE rescans SET held_by = $2::text, held_until = now() + $3::int8 * interval '1 second'"
                          " WHERE signatures = $1::int8 AND finished_at IS NULL"
                          " AND (held_until IS NULL OR held_until < now() OR held_by = $2::text) RETURNING after"};

constexpr Statement kNext{"next_rescan", "SELECT " CLOAKROOM_ATTACHMENT_COLUMNS
                                         " FROM attachments a WHERE a.id > $1::uuid AND a.status <> 'quarantined'"
                                         " AND a.external_url IS NULL"
                                         " ORDER BY a.id LIMIT $2::int8"};

constexpr Statement kAdvance{"advance_rescan",
                             "UPDATE rescans SET after = $3::uuid, finished_at = CASE WHEN $4::bool THEN now() END"
                             " WHERE signatures = $1::int8 AND held_by = $2::text AND finished_at IS NULL"};

}  // namespace

Result<bool> PgRescans::begin(std::uint64_t signatures, bool again) {
  database_.begin_request();
  Params params;
  params.int8(static_cast<std::int64_t>(signatures)).boolean(again);
  TRY_ASSIGN(const auto set, database_.run(kBegin, params));
  return set.affected() > 0;
}

Result<std::optional<Uuid>> PgRescans::hold(std::uint64_t signatures, std::chrono::seconds lease) {
  database_.begin_request();  // the runner slept: its connection may have gone meanwhile
  Params params;
  params.int8(static_cast<std::int64_t>(signatures)).text(runner_).int8(lease.count());
  TRY_ASSIGN(const auto set, database_.run(kHold, params));
  if (set.rows() == 0) return std::optional<Uuid>{};
  return std::optional<Uuid>{set.uuid(0, 0)};
}

Result<std::vector<Attachment>> PgRescans::next(const Uuid& after, std::size_t most) {
  Params params;
  params.uuid(after).int8(static_cast<std::int64_t>(most));
  TRY_ASSIGN(const auto set, database_.run(kNext, params));
  return read_attachments(set);
}

Status PgRescans::advance(std::uint64_t signatures, const Uuid& after, bool is_finished) {
  Params params;
  params.int8(static_cast<std::int64_t>(signatures)).text(runner_).uuid(after).boolean(is_finished);
  TRY_ASSIGN(const auto set, database_.run(kAdvance, params));
  if (set.affected() == 0) return Error{Errc::kConflict, "the walk belongs to another runner now"};
  return Ok{};
}

}  // namespace cloakroom

// cleanup.cc — the statements of the clean-up.
#include "db/cleanup.h"

namespace cloakroom {

#define CLOAKROOM_CLEANUP_COLUMNS                                                                                      \
  "a.id, a.message_id, a.filename, a.mime_type, coalesce(a.size_bytes, 0), a.created_at, a.linked_at, a.unlinked_at, " \
  "now()"

const Statement kFindStale{"find_stale",
                           "SELECT " CLOAKROOM_CLEANUP_COLUMNS
                           " FROM attachments a WHERE a.status = 'uploaded' AND a.external_url IS NULL AND "
                           "a.created_at < now() - $1::int8 * interval '1 hour'"
                           " AND (a.unlinked_at IS NULL OR a.unlinked_at < now() - $1::int8 * interval '1 hour')"
                           " AND (a.created_at, a.id) > (coalesce($2::timestamptz, '-infinity'), $3::uuid)"
                           " ORDER BY a.created_at, a.id LIMIT $4::int8"};

namespace {

constexpr const char* kOwnerTimeout = "SET LOCAL statement_timeout = '10s'";

constexpr Statement kNext{"next_for_cleanup", "SELECT " CLOAKROOM_CLEANUP_COLUMNS
                                              " FROM attachments a WHERE a.id > $1::uuid AND a.status <> 'quarantined'"
                                              " ORDER BY a.id LIMIT $2::int8"};

constexpr const char* kCountAll = "SELECT count(*) FROM attachments WHERE status <> 'quarantined'";
constexpr const char* kCountStale =
    "SELECT count(*) FROM attachments a WHERE a.status = 'uploaded' AND a.external_url IS NULL"
    " AND a.created_at < now() - $1::int8 * interval '1 hour'"
    " AND (a.unlinked_at IS NULL OR a.unlinked_at < now() - $1::int8 * interval '1 hour')";

constexpr Statement kBury{"bury",
                          "SELECT cloakroom_bury($1::uuid[], $2::text[], $3::text[], $4::timestamptz,"
                          " $5::int8 * interval '1 hour')"};

std::optional<TimePoint> maybe_time(const ResultSet& set, int row, int column) {
  if (set.is_null(row, column)) return std::nullopt;
  return set.time(row, column);
}

CleanupPage read_page(const ResultSet& set) {
  CleanupPage page;
  for (int row = 0; row < set.rows(); ++row) {
    page.files.push_back({.id = set.uuid(row, 0),
                          .message_id = set.maybe_text(row, 1),
                          .filename = std::string(set.text(row, 2)),
                          .mime_type = std::string(set.text(row, 3)),
                          .size_bytes = static_cast<std::uint64_t>(set.integer(row, 4)),
                          .created_at = set.time(row, 5),
                          .linked_at = maybe_time(set, row, 6),
                          .unlinked_at = maybe_time(set, row, 7)});
    page.now = set.time(row, 8);
  }
  return page;
}

}  // namespace

Result<CleanupPage> PgCleanup::stale(std::chrono::hours age, const std::optional<CleanupFile>& after,
                                     std::size_t most) {
  Params params;
  params.int8(age.count());
  const Uuid last = after ? after->id : Uuid{};
  if (after) {
    params.time(after->created_at);
  } else {
    params.null();
  }
  params.uuid(last).int8(static_cast<std::int64_t>(most));
  TRY_ASSIGN(const auto set, database_.run(kFindStale, params));
  return read_page(set);
}

Result<CleanupPage> PgCleanup::next(const Uuid& after, std::size_t most) {
  Params params;
  params.uuid(after).int8(static_cast<std::int64_t>(most));
  TRY_ASSIGN(const auto set, database_.run(kNext, params));
  return read_page(set);
}

Result<std::uint64_t> PgCleanup::count_stale(std::chrono::hours age) {
  Params params;
  params.int8(age.count());
  TRY_ASSIGN(const auto set, database_.run_once(kCountStale, params));
  return static_cast<std::uint64_t>(set.integer(0, 0));
}

Result<std::uint64_t> PgCleanup::count_all() {
  TRY_ASSIGN(const auto set, database_.run_once(kCountAll, Params{}));
  return static_cast<std::uint64_t>(set.integer(0, 0));
}

Result<std::set<std::string>> PgCleanup::ask_owner(std::span<const std::string> message_ids) {
  TRY(database_.run_once("SET TRANSACTION READ ONLY", Params{}));
  TRY(database_.run_once(kOwnerTimeout, Params{}));
  PgArray ids(PgArray::Element::kText, message_ids.size());
  for (const std::string& id : message_ids) ids.bytes(id);
  Params params;
  params.array(std::move(ids));
  // on lines of its own, for it may end in a comment
  auto answer = database_.run_once("SELECT q.id::text FROM (\n" + owner_query_ + "\n) AS q (id)", params);
  if (!answer && !answer.error().retryable) {
    return Error{Errc::kInvalid, "OWNER_QUERY failed: " + answer.error().detail};
  }
  TRY_ASSIGN(const auto set, std::move(answer));
  std::set<std::string> living;
  for (int row = 0; row < set.rows(); ++row) {
    if (!set.is_null(row, 0)) living.emplace(set.text(row, 0));
  }
  return living;
}

Result<std::set<std::string>> PgCleanup::living(std::span<const std::string> message_ids) {
  TRY(database_.begin());
  auto answer = ask_owner(message_ids);
  database_.rollback();  // there is nothing to be kept
  return answer;
}

Result<std::vector<Uuid>> PgCleanup::bury(std::span<const CleanupCandidate> candidates, TimePoint seen,
                                          std::chrono::hours undo) {
  PgArray ids(PgArray::Element::kUuid, candidates.size());
  PgArray messages(PgArray::Element::kText, candidates.size());
  PgArray reasons(PgArray::Element::kText, candidates.size());
  for (const CleanupCandidate& one : candidates) {
    ids.uuid(one.file.id);
    messages.text(one.file.message_id);
    reasons.bytes(one.reason);
  }
  Params params;
  params.array(std::move(ids)).array(std::move(messages)).array(std::move(reasons)).time(seen).int8(undo.count());
  TRY_ASSIGN(const auto set, database_.run(kBury, params));
  std::vector<Uuid> buried;
  for (int row = 0; row < set.rows(); ++row) buried.push_back(set.uuid(row, 0));
  return buried;
}

}  // namespace cloakroom

// backfill_book.cc — the statements of the book.
#include "db/backfill_book.h"

#include "db/copies.h"

namespace cloakroom {
namespace {

constexpr Statement kRunOf{"backfill_run_of",
                           "SELECT position, rows_done, taken, bytes, already, failed, finished_at IS NOT NULL"
                           " FROM backfill_runs WHERE source = $1::text AND fingerprint = $2::text"};
constexpr Statement kKeepRun{
    "backfill_keep_run",
    "INSERT INTO backfill_runs AS r (source, fingerprint, position, rows_done, taken, bytes, already, failed,"
    " finished_at)"
    " VALUES ($1::text, $2::text, $3::text, $4::int8, $5::int8, $6::int8, $7::int8, $8::int8,"
    " CASE WHEN $9::bool THEN now() END)"
    " ON CONFLICT (source) DO UPDATE SET fingerprint = excluded.fingerprint, position = excluded.position,"
    " rows_done = excluded.rows_done, taken = excluded.taken, bytes = excluded.bytes, already = excluded.already,"
    " failed = excluded.failed, updated_at = now(), finished_at = excluded.finished_at,"
    " began_at = CASE WHEN excluded.position = '' AND excluded.finished_at IS NULL THEN now() ELSE r.began_at END"};
constexpr Statement kTaken{"backfill_taken",
                           "SELECT b.message_id, b.path FROM unnest($2::text[], $3::text[]) AS asked (message_id, path)"
                           " JOIN backfilled b USING (message_id, path) WHERE b.source = $1::text"};
// A key may have both for the moment of a switch: then the row counts. A copy belongs to its file's row, and so does
// what a move has left: readers may still be at it. Jobs have no index by key, so all keys of a page
// are asked about at once.
constexpr Statement kOwners{
    "backfill_owners",
    "SELECT key, min(owner) FROM (SELECT key, 1::int4 AS owner FROM attachments"
    " WHERE store = $1::text AND key = ANY ($2::text[])"
    " UNION ALL SELECT key, 1 FROM variants WHERE store = $1::text AND key = ANY ($2::text[])"
    " UNION ALL SELECT key, 1 FROM copies WHERE store = $1::text AND key = ANY ($2::text[])"
    " UNION ALL SELECT key, 1 FROM moved_sources WHERE store = $1::text AND key = ANY ($2::text[])"
    " UNION ALL SELECT key, 2 FROM deletion_tickets WHERE store = $1::text AND key = ANY ($2::text[])"
    " UNION ALL SELECT key, 2 FROM tombstone_objects WHERE store = $1::text AND key = ANY ($2::text[])"
    " UNION ALL SELECT payload->>'key', 2 FROM jobs WHERE kind = 'delete_object'"
    " AND payload->>'store' = $1::text AND payload->>'key' = ANY ($2::text[])"
    " UNION ALL SELECT payload->>'key', 2 FROM dead_jobs WHERE kind = 'delete_object'"
    " AND payload->>'store' = $1::text AND payload->>'key' = ANY ($2::text[])) known GROUP BY key"};
constexpr Statement kIdsOf{"backfill_ids_of",
                           "SELECT attachment_id FROM backfilled WHERE path = $1::text"
                           " ORDER BY attachment_id LIMIT $2::int8"};
// As commit_upload (attachments.cc), with the link and the line in the book.
constexpr Statement kCommit{
    "backfill_commit",
    "WITH gone AS (DELETE FROM deletion_tickets WHERE id = ANY ($1::int8[]) RETURNING 1),"
    " complete AS (SELECT cloakroom_refuse_unless(count(*) = cardinality($1::int8[]),"
    " 'the copy took longer than ORPHAN_GRACE and was given up') FROM gone),"
    " noted AS (INSERT INTO backfilled (source, message_id, path, attachment_id)"
    " VALUES ($2::text, $3::text, $4::text, $5::uuid)),"
    " pictures AS (INSERT INTO jobs (kind, payload, priority)"
    " SELECT 'make_variants', jsonb_build_object('id', $5::uuid), -1 WHERE $6::bool),"
    CLOAKROOM_WISHES("(SELECT $5::uuid AS id, $12::int8 AS size_bytes WHERE $17::bool) taken")
    " INSERT INTO attachments (id, status, message_id, uploader_id, dialog_id, account_id, filename, mime_type,"
    " size_bytes, sha256, store, key, created_at, linked_at)"
    " SELECT $5::uuid, 'linked', $3::text, $7::text, $8::text, $9::text, $10::text, $11::text, $12::int8, $13::bytea,"
    " $14::text, $15::text, $16::timestamptz, now() FROM complete"};

}  // namespace

Result<std::optional<BackfillRun>> PgBackfillBook::run_of(const std::string& source, const std::string& fingerprint) {
  Params params;
  params.text(source).text(fingerprint);
  TRY_ASSIGN(const auto set, database_.run(kRunOf, params));
  if (set.rows() == 0) return std::optional<BackfillRun>();
  const auto number = [&](int column) { return static_cast<std::uint64_t>(set.integer(0, column)); };
  BackfillRun run;
  run.position = set.text(0, 0);
  run.totals = {number(1), number(2), number(3), number(4), number(5)};
  run.is_finished = set.boolean(0, 6);
  return std::optional(std::move(run));
}

Status PgBackfillBook::keep_run(const std::string& source, const std::string& fingerprint, const BackfillRun& run) {
  const auto number = [](std::uint64_t n) { return static_cast<std::int64_t>(n); };
  const BackfillTotals& t = run.totals;
  Params params;
  params.text(source).text(fingerprint).text(run.position);
  params.int8(number(t.rows)).int8(number(t.taken)).int8(number(t.bytes)).int8(number(t.already));
  params.int8(number(t.failed)).boolean(run.is_finished);
  TRY(database_.run(kKeepRun, params));
  return Ok{};
}

Result<std::set<MessagePath>> PgBackfillBook::taken(const std::string& source, std::span<const MessagePath> asked) {
  std::set<MessagePath> found;
  if (asked.empty()) return found;
  PgArray messages(PgArray::Element::kText, asked.size()), paths(PgArray::Element::kText, asked.size());
  for (const auto& [message, path] : asked) {
    messages.bytes(message);
    paths.bytes(path);
  }
  Params params;
  params.text(source).array(std::move(messages)).array(std::move(paths));
  TRY_ASSIGN(const auto set, database_.run(kTaken, params));
  for (int row = 0; row < set.rows(); ++row) {
    found.emplace(std::string(set.text(row, 0)), std::string(set.text(row, 1)));
  }
  return found;
}

Result<std::map<std::string, ObjectOwner>> PgBackfillBook::owners(StoreKind store, std::span<const std::string> keys) {
  std::map<std::string, ObjectOwner> out;
  if (keys.empty()) return out;
  PgArray asked(PgArray::Element::kText, keys.size());
  for (const std::string& key : keys) asked.bytes(key);
  Params params;
  params.text(to_string(store)).array(std::move(asked));
  TRY_ASSIGN(const auto set, database_.run(kOwners, params));
  for (int row = 0; row < set.rows(); ++row) {
    out.emplace(set.text(row, 0), set.integer(row, 1) == 1 ? ObjectOwner::kRow : ObjectOwner::kPromise);
  }
  return out;
}

Status PgBackfillBook::commit(const std::string& source, const std::string& path, const Attachment& a,
                              std::span<const DeletionTicket> tickets) {
  if (a.status != AttachmentStatus::kLinked || !a.message_id) BUG("what is taken over belongs to a message");
  PgArray ids(PgArray::Element::kInt8, tickets.size());
  for (const DeletionTicket& ticket : tickets) ids.int8(ticket.id);
  Params params;
  params.array(std::move(ids)).text(source).text(a.message_id).text(path).uuid(a.id).boolean(a.wants_variants);
  params.text(a.uploader_id).text(a.dialog_id).text(a.account_id).text(a.filename).text(a.mime_type);
  params.int8(static_cast<std::int64_t>(a.size_bytes));
  params.text(std::string_view(reinterpret_cast<const char*>(a.sha256.data()), a.sha256.size()));
  params.text(to_string(a.store)).text(a.key).time(a.created_at);
  params.boolean(wants_copies_ && a.store == StoreKind::kLocal);
  TRY(database_.run(kCommit, params));
  return Ok{};
}

Result<std::vector<Uuid>> PgBackfillBook::ids_of(const std::string& path, std::size_t most) {
  Params params;
  params.text(path).int8(static_cast<std::int64_t>(most));
  TRY_ASSIGN(const auto set, database_.run(kIdsOf, params));
  std::vector<Uuid> ids;
  for (int row = 0; row < set.rows(); ++row) ids.push_back(set.uuid(row, 0));
  return ids;
}

}  // namespace cloakroom

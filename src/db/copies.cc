// copies.cc — the statements on copies.
#include "db/copies.h"

#include "db/attachments.h"

namespace cloakroom {
namespace {

enum Column { kIsWanted = kAttachmentColumns, kCopyStore, kCopyKey };

constexpr Statement kFind{"find_copy", "SELECT " CLOAKROOM_ATTACHMENT_COLUMNS ", " CLOAKROOM_COPY_COLUMNS
                                       " FROM attachments a LEFT JOIN copies c ON c.attachment_id = a.id"
                                       " WHERE a.id = $1::uuid"};

// A deletion of the file, or its move elsewhere, takes the row of the copy along: who waits for it here finds none.
constexpr Statement kCommit{
    "commit_copy",
    "WITH gone AS (DELETE FROM deletion_tickets WHERE id = $1::int8 RETURNING 1),"
    " made AS (UPDATE copies SET store = $3::text, key = $4::text, copied_at = now(), verified_at = now() FROM gone"
    " WHERE attachment_id = $2::uuid AND key IS NULL RETURNING 1)"
    " SELECT cloakroom_refuse_unless(count(*) = 1, 'the copy is not wanted any more') FROM made"};

// One job, however many readers come: who waited for the row finds it asked for.
constexpr Statement kAskRepair{
    "ask_repair",
    // again after a while: the job of the last time may be a dead letter, and the file was put back by hand meanwhile
    "WITH asked AS (UPDATE copies SET repair_asked_at = now() WHERE attachment_id = $1::uuid AND key IS NOT NULL"
    " AND (repair_asked_at IS NULL OR repair_asked_at < now() - interval '10 minutes')"
    " RETURNING attachment_id),"
    " made AS (INSERT INTO jobs (kind, payload, priority)"
    " SELECT 'repair_object', jsonb_build_object('id', attachment_id), -1 FROM asked"
    " RETURNING pg_notify('cloakroom_jobs', ''))"
    " SELECT store, key, (SELECT count(*) FROM made) FROM copies WHERE attachment_id = $1::uuid AND key IS NOT NULL"};

constexpr Statement kLockFile{"lock_file",
                              "SELECT 1 FROM attachments WHERE id = $1::uuid AND store = 'local' AND key = $2::text"
                              " FOR KEY SHARE"};
constexpr Statement kNoteBoth{
    // what a decoder said of damaged bytes is no verdict on the right ones
    "note_both_right",
    "WITH seen_anew AS (UPDATE attachments SET picture = NULL WHERE id = $1::uuid AND picture = 'none')"
    " UPDATE copies SET verified_at = now(), repair_asked_at = NULL WHERE attachment_id = $1::uuid"};
constexpr Statement kNoteRight{
    "note_right",
    "UPDATE copies SET repair_asked_at = NULL WHERE attachment_id = $1::uuid AND repair_asked_at IS NOT NULL"};

constexpr Statement kWantAgain{
    "want_again",
    "WITH bad AS (SELECT attachment_id, store, key, size_bytes FROM copies"
    " WHERE attachment_id = $1::uuid AND store = $2::text AND key = $3::text FOR UPDATE),"
    " wanted AS (UPDATE copies c SET store = NULL, key = NULL, copied_at = NULL, verified_at = NULL,"
    " wanted_at = now(), repair_asked_at = NULL FROM bad WHERE c.attachment_id = bad.attachment_id RETURNING 1),"
    " purged AS (INSERT INTO cache_purges (store, key, size_bytes) SELECT store, key, size_bytes FROM bad),"
    " made AS (INSERT INTO jobs (kind, payload, priority)"
    " SELECT 'delete_object', jsonb_build_object('store', store, 'key', key), 0 FROM bad"
    " UNION ALL SELECT 'copy_object', jsonb_build_object('id', attachment_id), -2 FROM bad"
    " RETURNING pg_notify('cloakroom_jobs', ''))"
    " SELECT (SELECT count(*) FROM wanted), (SELECT count(*) FROM made)"};

constexpr Statement kGap{"copy_gap",
                         "SELECT count(*), coalesce(sum(size_bytes), 0)::int8,"
                         " coalesce(extract(epoch FROM greatest(now() - min(wanted_at), interval '0')), 0)::int8"
                         " FROM copies WHERE key IS NULL"};

#define CLOAKROOM_MAY_HAVE_COPY "a.store = 'local' AND a.key NOT LIKE '.kept/%'"

constexpr Statement kUncounted{
    "copies_never_wanted",
    "SELECT count(*), coalesce(sum(a.size_bytes), 0)::int8,"
    " coalesce(extract(epoch FROM greatest(now() - min(a.created_at), interval '0')), 0)::int8"
    " FROM attachments a LEFT JOIN copies c ON c.attachment_id = a.id"
    " WHERE " CLOAKROOM_MAY_HAVE_COPY " AND c.attachment_id IS NULL"};

// Locked against deletion, or the new row might refer to nothing.
#define CLOAKROOM_COPY_PAGE                                                                                       \
  "WITH page AS (SELECT a.id, a.size_bytes FROM attachments a WHERE a.id > $1::uuid AND " CLOAKROOM_MAY_HAVE_COPY \
  " ORDER BY a.id LIMIT $2::int8 FOR KEY SHARE OF a),"                                                            \
  " without AS (SELECT p.id, p.size_bytes, c.attachment_id IS NULL AS is_new FROM page p"                         \
  " LEFT JOIN copies c ON c.attachment_id = p.id WHERE c.key IS NULL AND NOT EXISTS"                              \
  " (SELECT FROM jobs j WHERE j.kind = 'copy_object' AND j.payload->>'id' = p.id::text) AND NOT EXISTS"           \
  " (SELECT FROM dead_jobs j WHERE j.kind = 'copy_object' AND j.payload->>'id' = p.id::text))"
#define CLOAKROOM_COPY_PAGE_ANSWER                                                       \
  " SELECT (SELECT id FROM page ORDER BY id DESC LIMIT 1), (SELECT count(*) FROM page)," \
  " (SELECT count(*) FROM without), (SELECT coalesce(sum(size_bytes), 0)::int8 FROM without)"

constexpr Statement kCountPage{"count_copy_page", CLOAKROOM_COPY_PAGE CLOAKROOM_COPY_PAGE_ANSWER};
constexpr Statement kWantPage{
    "want_copy_page", CLOAKROOM_COPY_PAGE
    ", wanted AS (INSERT INTO copies (attachment_id, size_bytes) SELECT id, size_bytes FROM without WHERE is_new"
    " ON CONFLICT DO NOTHING),"
    " made AS (INSERT INTO jobs (kind, payload, priority)"
    " SELECT 'copy_object', jsonb_build_object('id', id), -2 FROM without RETURNING 1)" CLOAKROOM_COPY_PAGE_ANSWER};
constexpr Statement kWake{"wake_for_copies", "SELECT pg_notify('cloakroom_jobs', '')"};

Result<std::optional<CopyPlace>> read_place(const ResultSet& set, int row, int store_column, int key_column) {
  if (set.is_null(row, key_column)) return std::optional<CopyPlace>();
  const auto store = parse_store_kind(set.text(row, store_column));
  if (!store) return Error{Errc::kInternal, "copies.store holds a word that this program does not know"};
  return std::optional(CopyPlace{*store, std::string(set.text(row, key_column))});
}

std::uint64_t number(const ResultSet& set, int column) {
  return static_cast<std::uint64_t>(set.integer(0, column));
}

CopyGap read_gap(const ResultSet& set) {
  return {number(set, 0), number(set, 1), std::chrono::seconds(set.integer(0, 2))};
}

}  // namespace

Result<FileWithCopy> read_file_with_copy(const ResultSet& set, int row) {
  FileWithCopy out;
  TRY_ASSIGN(out.file, read_attachment(set, row));
  out.is_wanted = set.boolean(row, kIsWanted);
  TRY_ASSIGN(out.place, read_place(set, row, kCopyStore, kCopyKey));
  return out;
}

Result<std::optional<FileWithCopy>> PgCopies::find(const Uuid& id) {
  Params params;
  params.uuid(id);
  TRY_ASSIGN(const auto set, database_.run(kFind, params));
  if (set.rows() == 0) return std::optional<FileWithCopy>();
  TRY_ASSIGN(auto found, read_file_with_copy(set, 0));
  return std::optional(std::move(found));
}

Status PgCopies::commit_copy(const Uuid& id, const CopyPlace& place, DeletionTicket ticket) {
  Params params;
  params.int8(ticket.id).uuid(id).text(to_string(place.store)).text(place.key);
  TRY(database_.run(kCommit, params));
  return Ok{};
}

Result<std::optional<CopyPlace>> PgCopies::ask_repair(const Uuid& id) {
  Params params;
  params.uuid(id);
  TRY_ASSIGN(const auto set, database_.run(kAskRepair, params));
  if (set.rows() == 0) return std::optional<CopyPlace>();
  return read_place(set, 0, 0, 1);
}

Result<bool> PgCopies::lock_and_act(const Uuid& id, const ObjectKey& local, const std::function<Status()>& act) {
  Params params;
  params.uuid(id).text(local.str());
  TRY_ASSIGN(const auto set, database_.run(kLockFile, params));
  if (set.rows() == 0) return false;
  TRY(act());
  Params same;
  same.uuid(id);
  TRY(database_.run(kNoteBoth, same));
  return true;
}

Result<bool> PgCopies::put_right(const Uuid& id, const ObjectKey& local, const std::function<Status()>& act) {
  TRY(database_.begin());
  const auto done = lock_and_act(id, local, act);
  if (!done || !*done) {
    database_.rollback();
    return done;
  }
  TRY(database_.commit());
  return done;
}

Status PgCopies::note_right(const Uuid& id) {
  Params params;
  params.uuid(id);
  TRY(database_.run(kNoteRight, params));
  return Ok{};
}

Result<bool> PgCopies::want_again(const Uuid& id, const CopyPlace& place) {
  Params params;
  params.uuid(id).text(to_string(place.store)).text(place.key);
  TRY_ASSIGN(const auto set, database_.run(kWantAgain, params));
  return number(set, 0) > 0;
}

Result<CopyGap> PgCopies::gap() {
  TRY_ASSIGN(const auto set, database_.run(kGap, Params{}));
  return read_gap(set);
}

Result<CopyGap> PgCopies::uncounted() {
  TRY_ASSIGN(const auto set, database_.run(kUncounted, Params{}));
  return read_gap(set);
}

Result<CopyPage> PgCopies::want_page(const Uuid& after, std::size_t most, bool is_rehearsal) {
  Params params;
  params.uuid(after).int8(static_cast<std::int64_t>(most));
  TRY_ASSIGN(const auto set, database_.run(is_rehearsal ? kCountPage : kWantPage, params));
  CopyPage page{.looked_at = number(set, 1), .queued = number(set, 2), .queued_bytes = number(set, 3)};
  if (page.looked_at > 0) page.last = set.uuid(0, 0);
  if (page.queued > 0 && !is_rehearsal) TRY(database_.run(kWake, Params{}));
  return page;
}

}  // namespace cloakroom

// attachments.cc — the statements on attachments, tickets and members, and the reading of their rows.
#include "db/attachments.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "db/copies.h"

namespace cloakroom {

// Column positions in CLOAKROOM_ATTACHMENT_COLUMNS. Fixed, because PQfnumber copies and folds the name at each call:
// as many allocations a download.
enum Column {
  kId,
  kStatus,
  kUploader,
  kDialog,
  kMessage,
  kAccount,
  kFilename,
  kMimeType,
  kSize,
  kSha256,
  kStore,
  kKey,
  kWidth,
  kHeight,
  kCreatedAt,
  kFrames,
  kDuration,
  kPicture,
  kPlaceholder,
  kExternalUrl,
  kIsMember
};
static_assert(kIsMember == kAttachmentColumns);

constexpr Statement kReady{"ready", "SELECT 1 FROM attachments LIMIT 1"};

const Statement kFindById{"find",
                          "SELECT " CLOAKROOM_ATTACHMENT_COLUMNS ", " CLOAKROOM_IS_MEMBER " FROM " CLOAKROOM_ONE_BY_ID};

const Statement kFindByMessages{"find_by_messages", "SELECT " CLOAKROOM_ATTACHMENT_COLUMNS ", " CLOAKROOM_IS_MEMBER
                                                    " FROM attachments a WHERE a.message_id = ANY ($1::text[])"
                                                    " ORDER BY a.message_id, a.created_at, a.id"};

namespace {

// Two statements: no index serves IS NOT DISTINCT FROM.
constexpr Statement kFindUnlinked{"find_unlinked",
                                  "SELECT " CLOAKROOM_ATTACHMENT_COLUMNS
                                  " FROM attachments a WHERE a.status = 'uploaded' AND a.uploader_id = $1::text"
                                  " ORDER BY a.created_at DESC, a.id DESC LIMIT $2::int8"};
constexpr Statement kFindUnlinkedOfService{"find_unlinked_of_service",
                                           "SELECT " CLOAKROOM_ATTACHMENT_COLUMNS
                                           " FROM attachments a WHERE a.status = 'uploaded' AND a.uploader_id IS NULL"
                                           " ORDER BY a.created_at DESC, a.id DESC LIMIT $1::int8"};

// The commit does not wait for the disk: commit_upload's does, and the log is written in order, so a durable row never
// stands beside its ticket. set_config is a row of its own in FROM, or an upload of many files would set it many times.
constexpr Statement kPlanDeletions{
    "plan_deletions",
    "INSERT INTO deletion_tickets (store, key, due_at)"
    " SELECT $1::text, k.key, now() + $3::int8 * interval '1 second'"
    " FROM set_config('synchronous_commit', 'off', true) c, unnest($2::text[]) WITH ORDINALITY k (key, place)"
    " ORDER BY k.place RETURNING id"};

constexpr Statement kHastenDeletions{
    "hasten_deletions", "UPDATE deletion_tickets SET due_at = now(), size_bytes = NULL WHERE id = ANY ($1::int8[])"};
constexpr Statement kNotify{"notify", "SELECT pg_notify('cloakroom_jobs', '')"};

// A runner that is making a job of the ticket right now holds its row: the DELETE waits, finds it gone, and the whole
// statement is refused. The other way round the runner skips the locked row, and later finds none.
#define CLOAKROOM_INSERT_UPLOAD                                                                                      \
  "INSERT INTO attachments (id, uploader_id, dialog_id, account_id, filename, mime_type, size_bytes, sha256, store," \
  " key, width, height, created_at, frames, duration_ms, picture, placeholder)"                                      \
  " SELECT u.* FROM complete, unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],"        \
  " $8::int8[], $9::bytea[], $10::text[], $11::text[], $12::int4[], $13::int4[], $14::timestamptz[], $15::int4[],"   \
  " $16::int4[], $17::text[], $18::text[]) u"
#define CLOAKROOM_TAKE_TICKETS                                                                                        \
  "WITH gone AS (DELETE FROM deletion_tickets WHERE id = ANY ($1::int8[]) RETURNING 1),"                              \
  " complete AS (SELECT cloakroom_refuse_unless(count(*) = cardinality($1::int8[]),"                                  \
  " 'the upload took too long and was given up: send it again') FROM gone),"                                          \
  " pictures AS (INSERT INTO jobs (kind, payload, priority) SELECT 'make_variants', jsonb_build_object('id', id), -1" \
  " FROM unnest($19::uuid[]) id)"

constexpr Statement kCommitUpload{"commit_upload", CLOAKROOM_TAKE_TICKETS " " CLOAKROOM_INSERT_UPLOAD};

// The job's "key" is what makes it this node's (kClaim in jobs.cc).
constexpr Statement kCommitKept{"commit_kept", CLOAKROOM_TAKE_TICKETS
                                ", made AS (" CLOAKROOM_INSERT_UPLOAD
                                " RETURNING id, store, key)"
                                " INSERT INTO jobs (kind, payload, priority) SELECT 'move_object',"
                                " jsonb_build_object('id', id, 'store', store, 'key', key), -2 FROM made"};

constexpr Statement kCommitWithCopies{"commit_with_copies", CLOAKROOM_TAKE_TICKETS
                                      ", made AS (" CLOAKROOM_INSERT_UPLOAD
                                      " RETURNING id, size_bytes)," CLOAKROOM_WISHES("made") " SELECT FROM made"};

// An UPDATE that waited for another one looks at the row anew, so of two at once the second finds another key.
constexpr Statement kSwitchObject{
    "switch_object",
    "WITH gone AS (DELETE FROM deletion_tickets WHERE id = $1::int8 RETURNING 1),"
    " moved AS (UPDATE attachments SET store = $5::text, key = $6::text FROM gone"
    " WHERE attachments.id = $2::uuid AND store = $3::text AND key = $4::text RETURNING 1),"
    " complete AS (SELECT cloakroom_refuse_unless(count(*) = 1, 'the attachment was changed meanwhile') FROM moved)"
    " INSERT INTO jobs (kind, payload, run_at) SELECT 'delete_object',"
    " jsonb_build_object('store', $3::text, 'key', $4::text), now() + $7::int8 * interval '1 second' FROM complete"};

constexpr Statement kLink{"link", "SELECT " CLOAKROOM_ATTACHMENT_COLUMNS
                                  " FROM cloakroom_link($1::uuid[], $2::text, $3::text, $4::text, $5::bool) a"};

constexpr Statement kLinkWithin{
    "link_within",
    "SELECT " CLOAKROOM_ATTACHMENT_COLUMNS
    " FROM cloakroom_link_within($1::uuid[], $2::text, $3::text, $4::text, $5::bool, $6::int8, $7::int8) a"};

constexpr Statement kRemoveUnlinked{"remove_unlinked",
                                    "DELETE FROM attachments WHERE id = $1::uuid AND status <> 'linked'"};
constexpr Statement kQuarantine{"quarantine", "UPDATE attachments SET status = 'quarantined' WHERE id = $1::uuid"};
constexpr Statement kRemoveMessage{"remove_message", "DELETE FROM attachments WHERE message_id = $1::text"};
constexpr Statement kReplaceMembers{"replace_members", "SELECT cloakroom_replace_members($1::text, $2::text[])"};

using Element = PgArray::Element;

PgArray text_array(std::span<const std::string> values) {
  PgArray array(Element::kText, values.size());
  for (const auto& value : values) array.bytes(value);
  return array;
}

PgArray ticket_array(std::span<const DeletionTicket> tickets) {
  PgArray array(Element::kInt8, tickets.size());
  for (const auto& ticket : tickets) array.int8(ticket.id);
  return array;
}

// One array a column, by what `put` does with each attachment.
template <class Put>
PgArray column_array(Element element, std::span<const Attachment> attachments, Put put) {
  PgArray array(element, attachments.size());
  for (const auto& attachment : attachments) put(array, attachment);
  return array;
}

PgArray wanted_variants(std::span<const Attachment> attachments) {
  const auto wants = [](const Attachment& a) { return a.wants_variants; };
  PgArray array(Element::kUuid, static_cast<std::size_t>(std::count_if(attachments.begin(), attachments.end(), wants)));
  for (const Attachment& a : attachments) {
    if (a.wants_variants) array.uuid(a.id);
  }
  return array;
}

std::optional<std::uint32_t> maybe_size(const ResultSet& set, int row, int column) {
  if (set.is_null(row, column)) return std::nullopt;
  return static_cast<std::uint32_t>(set.integer(row, column));
}

Status read_object(const ResultSet& set, int row, Attachment& out) {
  const auto store = parse_store_kind(set.text(row, kStore));
  if (!store) return Error{Errc::kInternal, "attachments.store holds a word that this program does not know"};
  const auto digest = set.text(row, kSha256);
  if (digest.size() != out.sha256.size()) return Error{Errc::kInternal, "attachments.sha256 is not 32 bytes long"};
  std::memcpy(out.sha256.data(), digest.data(), digest.size());
  out.size_bytes = static_cast<std::uint64_t>(set.integer(row, kSize));
  out.store = *store;
  out.key = set.text(row, kKey);
  return Ok{};
}

Result<ReadableAttachment> read_readable(const ResultSet& set, int row) {
  TRY_ASSIGN(auto attachment, read_attachment(set, row));
  return ReadableAttachment{std::move(attachment), set.boolean(row, kIsMember)};
}

}  // namespace

Result<Attachment> read_attachment(const ResultSet& set, int row) {
  const auto status = parse_attachment_status(set.text(row, kStatus));
  if (!status) return Error{Errc::kInternal, "attachments.status holds a word that this program does not know"};
  Attachment out;
  out.id = set.uuid(row, kId);
  out.status = *status;
  out.uploader_id = set.maybe_text(row, kUploader);
  out.dialog_id = set.maybe_text(row, kDialog);
  out.message_id = set.maybe_text(row, kMessage);
  out.account_id = set.maybe_text(row, kAccount);
  out.filename = set.text(row, kFilename);
  out.mime_type = set.text(row, kMimeType);
  out.external_url = set.maybe_text(row, kExternalUrl);
  if (!out.external_url) TRY(read_object(set, row, out));
  out.width = maybe_size(set, row, kWidth);
  out.height = maybe_size(set, row, kHeight);
  out.created_at = set.time(row, kCreatedAt);
  out.frames = maybe_size(set, row, kFrames);
  out.duration_ms = maybe_size(set, row, kDuration);
  out.picture = parse_picture(set.maybe_text(row, kPicture));
  out.placeholder = set.maybe_text(row, kPlaceholder);
  return out;
}

Result<std::vector<Attachment>> read_attachments(const ResultSet& set) {
  std::vector<Attachment> out;
  out.reserve(static_cast<std::size_t>(set.rows()));
  for (int row = 0; row < set.rows(); ++row) {
    TRY_ASSIGN(auto attachment, read_attachment(set, row));
    out.push_back(std::move(attachment));
  }
  return out;
}

Result<std::optional<ReadableAttachment>> read_one_by_id(const ResultSet& set) {
  TRY_ASSIGN(auto found, read_readable(set, 0));
  if (found.attachment.id == Uuid{}) return std::optional<ReadableAttachment>{};
  return std::optional<ReadableAttachment>{std::move(found)};
}

Status PgRows::ready() {
  TRY(database_.run(kReady, Params{}));
  return Ok{};
}

Result<std::vector<DeletionTicket>> PgRows::plan_deletions(StoreKind store, std::span<const ObjectKey> keys,
                                                           std::chrono::seconds grace) {
  PgArray key_array(Element::kText, keys.size());
  for (const auto& key : keys) key_array.bytes(key.str());
  Params params;
  params.text(to_string(store)).array(std::move(key_array)).int8(grace.count());
  TRY_ASSIGN(const auto set, database_.run(kPlanDeletions, params));
  std::vector<DeletionTicket> tickets;
  for (int row = 0; row < set.rows(); ++row) tickets.push_back({set.integer(row, 0)});
  return tickets;
}

Status PgRows::hasten_deletions(std::span<const DeletionTicket> tickets) {
  if (tickets.empty()) return Ok{};
  Params params;
  params.array(ticket_array(tickets));
  TRY(database_.run(kHastenDeletions, params));
  // After the commit, not in it: a transaction that notifies holds a lock on the whole queue of notifications while it
  // commits.
  TRY(database_.run(kNotify, Params{}));
  return Ok{};
}

Status PgRows::commit(const Statement& statement, std::span<const Attachment> attachments,
                      std::span<const DeletionTicket> tickets) {
  if (attachments.empty()) return Ok{};
  const auto column = [&](Element element, auto put) { return column_array(element, attachments, put); };
  Params params;
  params.array(ticket_array(tickets))
      .array(column(Element::kUuid, [](PgArray& out, const Attachment& a) { out.uuid(a.id); }))
      .array(column(Element::kText, [](PgArray& out, const Attachment& a) { out.text(a.uploader_id); }))
      .array(column(Element::kText, [](PgArray& out, const Attachment& a) { out.text(a.dialog_id); }))
      .array(column(Element::kText, [](PgArray& out, const Attachment& a) { out.text(a.account_id); }))
      .array(column(Element::kText, [](PgArray& out, const Attachment& a) { out.bytes(a.filename); }))
      .array(column(Element::kText, [](PgArray& out, const Attachment& a) { out.bytes(a.mime_type); }))
      .array(column(Element::kInt8,
                    [](PgArray& out, const Attachment& a) { out.int8(static_cast<std::int64_t>(a.size_bytes)); }))
      .array(column(Element::kBytea,
                    [](PgArray& out, const Attachment& a) {
                      out.bytes({reinterpret_cast<const char*>(a.sha256.data()), a.sha256.size()});
                    }))
      .array(column(Element::kText, [](PgArray& out, const Attachment& a) { out.bytes(to_string(a.store)); }))
      .array(column(Element::kText, [](PgArray& out, const Attachment& a) { out.bytes(a.key); }))
      .array(column(Element::kInt4, [](PgArray& out, const Attachment& a) { out.int4(a.width); }))
      .array(column(Element::kInt4, [](PgArray& out, const Attachment& a) { out.int4(a.height); }))
      .array(column(Element::kTimestamptz, [](PgArray& out, const Attachment& a) { out.time(a.created_at); }))
      .array(column(Element::kInt4, [](PgArray& out, const Attachment& a) { out.int4(a.frames); }))
      .array(column(Element::kInt4, [](PgArray& out, const Attachment& a) { out.int4(a.duration_ms); }))
      .array(column(Element::kText, [](PgArray& out, const Attachment& a) { out.text(to_word(a.picture)); }))
      .array(column(Element::kText, [](PgArray& out, const Attachment& a) { out.text(a.placeholder); }))
      .array(wanted_variants(attachments));
  TRY_ASSIGN(const auto set, database_.run(statement, params));
  if (set.affected() != attachments.size()) BUG("commit_upload wrote another number of rows than it was given");
  // Best effort, and after the commit: a runner that sleeps finds the jobs at its next look.
  const bool has_jobs =
      &statement != &kCommitUpload ||
      std::any_of(attachments.begin(), attachments.end(), [](const Attachment& a) { return a.wants_variants; });
  if (has_jobs) [[maybe_unused]]
    const auto woken = database_.run(kNotify, Params{});
  return Ok{};
}

Status PgRows::commit_upload(std::span<const Attachment> attachments, std::span<const DeletionTicket> tickets) {
  const bool gets_copies = options_.wants_copies && !attachments.empty() && attachments[0].store == StoreKind::kLocal;
  return commit(gets_copies ? kCommitWithCopies : kCommitUpload, attachments, tickets);
}

Status PgRows::commit_kept(std::span<const Attachment> attachments, std::span<const DeletionTicket> tickets) {
  return commit(kCommitKept, attachments, tickets);
}

Status PgRows::switch_object(const ObjectSwitch& change) {
  Params params;
  params.int8(change.ticket.id).uuid(change.id).text(to_string(change.from)).text(change.from_key);
  params.text(to_string(change.to)).text(change.to_key).int8(change.linger.count());
  TRY(database_.run(kSwitchObject, params));
  return Ok{};
}

Result<std::optional<ReadableAttachment>> PgRows::find(const Uuid& id, const std::optional<std::string>& user_id) {
  Params params;
  params.uuid(id).text(user_id);
  TRY_ASSIGN(const auto set, database_.run(kFindById, params));
  return read_one_by_id(set);
}

Result<std::vector<ReadableAttachment>> PgRows::find_by_messages(std::span<const std::string> message_ids,
                                                                 const std::optional<std::string>& user_id) {
  Params params;
  params.array(text_array(message_ids)).text(user_id);
  TRY_ASSIGN(const auto set, database_.run(kFindByMessages, params));
  std::vector<ReadableAttachment> out;
  out.reserve(static_cast<std::size_t>(set.rows()));
  for (int row = 0; row < set.rows(); ++row) {
    TRY_ASSIGN(auto found, read_readable(set, row));
    out.push_back(std::move(found));
  }
  return out;
}

Result<std::vector<Attachment>> PgRows::find_unlinked(const std::optional<std::string>& uploader_id, std::size_t most) {
  Params params;
  if (uploader_id) params.text(*uploader_id);
  params.int8(static_cast<std::int64_t>(most));
  TRY_ASSIGN(const auto set, database_.run(uploader_id ? kFindUnlinked : kFindUnlinkedOfService, params));
  return read_attachments(set);
}

Result<std::vector<Attachment>> PgRows::link(const LinkRequest& request) {
  PgArray ids(Element::kUuid, request.attachment_ids.size());
  for (const auto& id : request.attachment_ids) ids.uuid(id);
  Params params;
  params.array(std::move(ids)).text(request.message_id).text(request.dialog_id).text(request.uploader_id);
  params.boolean(request.by_service);
  const Quota& quota = request.dialog_quota;
  if (quota.is_on()) params.int8(static_cast<std::int64_t>(quota.bytes)).int8(static_cast<std::int64_t>(quota.files));
  TRY_ASSIGN(const auto set, database_.run(quota.is_on() ? kLinkWithin : kLink, params));
  return read_attachments(set);
}

Result<bool> PgRows::remove_unlinked(const Uuid& id) {
  Params params;
  params.uuid(id);
  TRY_ASSIGN(const auto set, database_.run(kRemoveUnlinked, params));
  return set.affected() > 0;
}

Result<bool> PgRows::quarantine(const Uuid& id) {
  Params params;
  params.uuid(id);
  TRY_ASSIGN(const auto set, database_.run(kQuarantine, params));
  return set.affected() > 0;
}

Result<std::uint64_t> PgRows::remove_message(const std::string& message_id) {
  Params params;
  params.text(message_id);
  TRY_ASSIGN(const auto set, database_.run(kRemoveMessage, params));
  return set.affected();
}

Status PgRows::replace_members(const std::string& dialog_id, std::span<const std::string> user_ids) {
  Params params;
  params.text(dialog_id).array(text_array(user_ids));
  TRY(database_.run(kReplaceMembers, params));
  return Ok{};
}

}  // namespace cloakroom

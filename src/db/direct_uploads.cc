// direct_uploads.cc — the statements on tickets of direct uploads.
#include "db/direct_uploads.h"

#include <cstring>

#include "db/usage.h"

namespace cloakroom {
namespace {

constexpr Statement kAdd{
    "add_direct_upload",
    "WITH ticket AS (INSERT INTO deletion_tickets (store, key, due_at)"
    " VALUES ($12::text, $8::text, $10::timestamptz + $11::int8 * interval '1 second'))"
    " INSERT INTO direct_uploads (id, uploader_id, dialog_id, filename, declared_type, size_bytes, sha256, key,"
    " part_bytes, expires_at, store) VALUES ($1::uuid, $2::text, $3::text, $4::text, $5::text, $6::int8, $7::bytea,"
    " $8::text, $9::int8, $10::timestamptz, $12::text)"};

// The row itself holds the place; its ticket holds none.
constexpr Statement kAddWithin{
    "add_direct_upload_within",
    "WITH room AS MATERIALIZED (" CLOAKROOM_FIND_ROOM("$13", "$14", "$15", "$16", "$17", "") "),"
    " ticket AS (INSERT INTO deletion_tickets (store, key, due_at)"
    " SELECT $12::text, $8::text, $10::timestamptz + $11::int8 * interval '1 second' FROM room WHERE refusal IS NULL),"
    " made AS (INSERT INTO direct_uploads (id, uploader_id, dialog_id, filename, declared_type, size_bytes, sha256, key,"
    " part_bytes, expires_at, store) SELECT $1::uuid, $2::text, $3::text, $4::text, $5::text, $6::int8, $7::bytea,"
    " $8::text, $9::int8, $10::timestamptz, $12::text FROM room WHERE refusal IS NULL)"
    " SELECT refusal FROM room"};

constexpr Statement kSetUploadId{"set_direct_upload_id",
                                 "UPDATE direct_uploads SET upload_id = $2::text WHERE id = $1::uuid"};

enum Column {
  kUploader,
  kDialog,
  kFilename,
  kType,
  kSize,
  kSha256,
  kKey,
  kUploadId,
  kPartBytes,
  kExpires,
  kAttachment,
  kStore
};
constexpr Statement kFind{"find_direct_upload",
                          "SELECT uploader_id, dialog_id, filename, declared_type, size_bytes, sha256, key, upload_id,"
                          " part_bytes, expires_at, attachment_id, store FROM direct_uploads WHERE id = $1::uuid"};

// In the last second it might be committed when others have found the place free already.
constexpr Statement kHold{"hold_direct_upload",
                          "UPDATE direct_uploads SET held_until = now() + $2::int8 * interval '1 second'"
                          " WHERE id = $1::uuid AND attachment_id IS NULL"
                          " AND expires_at > clock_timestamp() + interval '1 second'"};

// Of two calls at once the UPDATE lets one wait for the other, and then finds the row taken.
constexpr Statement kCommit{
    "commit_direct_upload",
    "WITH gone AS (DELETE FROM deletion_tickets WHERE id = $1::int8 RETURNING 1),"
    " done AS (UPDATE direct_uploads SET attachment_id = $3::uuid WHERE id = $2::uuid AND attachment_id IS NULL"
    " RETURNING store, key),"
    " complete AS (SELECT cloakroom_refuse_unless((SELECT count(*) FROM gone) = 1,"
    " 'completing the upload took too long and was given up: try again'),"
    " cloakroom_refuse_unless((SELECT count(*) FROM done) = 1, 'the upload is complete or given up already')),"
    " job AS (INSERT INTO jobs (kind, payload, priority)"
    " SELECT 'delete_object', jsonb_build_object('store', store, 'key', key), 0 FROM done"
    " UNION ALL SELECT 'make_variants', jsonb_build_object('id', $3::uuid), -1 FROM done WHERE $19::bool)"
    " INSERT INTO attachments (id, uploader_id, dialog_id, filename, mime_type, size_bytes, sha256, store, key,"
    " created_at, width, height, frames, duration_ms, picture, placeholder)"
    " SELECT $3::uuid, $4::text, $5::text, $6::text, $7::text, $8::int8, $9::bytea, $10::text, $11::text,"
    " $12::timestamptz, $13::int4, $14::int4, $15::int4, $16::int4, $17::text, $18::text FROM complete"};

constexpr Statement kRefuse{"refuse_direct_upload",
                            "WITH gone AS (DELETE FROM direct_uploads WHERE id = $1::uuid AND attachment_id IS NULL"
                            " RETURNING store, key)"
                            " INSERT INTO jobs (kind, payload)"
                            " SELECT 'delete_object', jsonb_build_object('store', store, 'key', key) FROM gone"};

// The deletion of the object has a ticket since add(). An upload in parts that was completed is unknown to the store,
// and its abort succeeds.
constexpr Statement kCleanUp{
    "clean_up_direct_uploads",
    "WITH gone AS (DELETE FROM direct_uploads WHERE expires_at < now() - $1::int8 * interval '1 second'"
    " RETURNING store, key, upload_id, attachment_id),"
    " aborts AS (INSERT INTO jobs (kind, payload)"
    " SELECT 'abort_multipart', jsonb_build_object('store', store, 'key', key, 'upload_id', upload_id) FROM gone"
    " WHERE upload_id IS NOT NULL AND attachment_id IS NULL)"
    " SELECT count(*) FROM gone"};

constexpr Statement kCountExpired{
    "count_expired_direct_uploads",
    "SELECT count(*) FROM direct_uploads WHERE expires_at < now() - $1::int8 * interval '1 second'"};

constexpr Statement kExpired{
    "expired_direct_uploads",
    "SELECT id, filename, size_bytes, (attachment_id IS NOT NULL)::int4 FROM direct_uploads"
    " WHERE expires_at < now() - $1::int8 * interval '1 second' ORDER BY expires_at, id LIMIT $2::int8"};

constexpr Statement kWakeJobs{"wake_jobs", "SELECT pg_notify('cloakroom_jobs', '')"};

std::string_view bytes_of(const Sha256Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

}  // namespace

namespace {

void upload_params(Params& params, const DirectUpload& upload, std::chrono::seconds grace) {
  params.uuid(upload.id).text(upload.uploader_id).text(upload.dialog_id).text(upload.filename);
  params.text(upload.declared_type).int8(static_cast<std::int64_t>(upload.size_bytes));
  if (upload.sha256) {
    params.text(bytes_of(*upload.sha256));
  } else {
    params.null();
  }
  params.text(upload.key).int8(static_cast<std::int64_t>(upload.part_bytes)).time(upload.expires_at);
  params.int8(grace.count()).text(to_string(upload.store));
}

}  // namespace

Status PgDirectUploads::add(const DirectUpload& upload, std::chrono::seconds grace) {
  Params params;
  upload_params(params, upload, grace);
  TRY(database_.run(kAdd, params));
  return Ok{};
}

Status PgDirectUploads::add_within(const DirectUpload& upload, std::chrono::seconds grace, const RoomRequest& room) {
  Params params;
  upload_params(params, upload, grace);
  room_params(params, room);
  TRY_ASSIGN(const auto set, database_.run(kAddWithin, params));
  if (!set.is_null(0, 0)) return cloakroom::refuse(Errc::kQuota, std::string(set.text(0, 0)));
  return Ok{};
}

Status PgDirectUploads::set_upload_id(const Uuid& id, const std::string& upload_id) {
  Params params;
  params.uuid(id).text(upload_id);
  TRY_ASSIGN(const auto set, database_.run(kSetUploadId, params));
  if (set.affected() != 1) return Error{Errc::kConflict, "the row of the direct upload is gone"};
  return Ok{};
}

Result<std::optional<DirectUpload>> PgDirectUploads::find(const Uuid& id) {
  Params params;
  params.uuid(id);
  TRY_ASSIGN(const auto set, database_.run(kFind, params));
  if (set.rows() == 0) return std::optional<DirectUpload>{};
  DirectUpload out;
  out.id = id;
  out.uploader_id = set.maybe_text(0, kUploader);
  out.dialog_id = set.maybe_text(0, kDialog);
  out.filename = set.text(0, kFilename);
  out.declared_type = set.text(0, kType);
  out.size_bytes = static_cast<std::uint64_t>(set.integer(0, kSize));
  if (!set.is_null(0, kSha256)) {
    const std::string_view digest = set.text(0, kSha256);
    if (digest.size() != sizeof(Sha256Digest)) return Error{Errc::kInternal, "direct_uploads.sha256 is not 32 bytes"};
    std::memcpy(out.sha256.emplace().data(), digest.data(), digest.size());
  }
  const auto store = parse_store_kind(set.text(0, kStore));
  if (!store) return Error{Errc::kInternal, "direct_uploads.store holds a word that this program does not know"};
  out.store = *store;
  out.key = set.text(0, kKey);
  out.upload_id = set.maybe_text(0, kUploadId);
  out.part_bytes = static_cast<std::uint64_t>(set.integer(0, kPartBytes));
  out.expires_at = set.time(0, kExpires);
  if (!set.is_null(0, kAttachment)) out.attachment_id = set.uuid(0, kAttachment);
  return std::optional<DirectUpload>{std::move(out)};
}

Status PgDirectUploads::hold(const Uuid& id, std::chrono::seconds most) {
  Params params;
  params.uuid(id).int8(most.count());
  TRY_ASSIGN(const auto set, database_.run(kHold, params));
  if (set.affected() == 1) return Ok{};
  return cloakroom::refuse(Errc::kConflict, "The ticket has expired, or the upload is complete already.");
}

Status PgDirectUploads::commit(const DirectUpload& upload, const Attachment& a, const DeletionTicket& ticket) {
  Params params;
  params.int8(ticket.id).uuid(upload.id).uuid(a.id).text(a.uploader_id).text(a.dialog_id).text(a.filename);
  params.text(a.mime_type).int8(static_cast<std::int64_t>(a.size_bytes)).text(bytes_of(a.sha256));
  params.text(to_string(a.store)).text(a.key).time(a.created_at);
  for (const auto& number : {a.width, a.height, a.frames, a.duration_ms}) params.maybe_int4(number);
  const auto picture = to_word(a.picture);
  params.text(picture).text(a.placeholder).boolean(a.wants_variants);
  TRY_ASSIGN(const auto set, database_.run(kCommit, params));
  if (set.affected() != 1) BUG("the commit of a direct upload wrote another number of rows than one");
  [[maybe_unused]] const auto woken = database_.run(kWakeJobs, Params{});  // else the job is found a little later
  return Ok{};
}

Status PgDirectUploads::refuse(const DirectUpload& upload) {
  Params params;
  params.uuid(upload.id);
  TRY(database_.run(kRefuse, params));
  [[maybe_unused]] const auto woken = database_.run(kWakeJobs, Params{});
  return Ok{};
}

Result<std::uint64_t> PgDirectUploads::clean_up(std::chrono::seconds grace) {
  database_.begin_request();
  Params params;
  params.int8(grace.count());
  TRY_ASSIGN(const auto set, database_.run(kCleanUp, params));
  return static_cast<std::uint64_t>(set.integer(0, 0));
}

Result<std::uint64_t> PgDirectUploads::count_expired(std::chrono::seconds grace) {
  Params params;
  params.int8(grace.count());
  TRY_ASSIGN(const auto set, database_.run(kCountExpired, params));
  return static_cast<std::uint64_t>(set.integer(0, 0));
}

Result<std::vector<ExpiredUpload>> PgDirectUploads::expired(std::chrono::seconds grace, std::size_t most) {
  Params params;
  params.int8(grace.count()).int8(static_cast<std::int64_t>(most));
  TRY_ASSIGN(const auto set, database_.run(kExpired, params));
  std::vector<ExpiredUpload> out;
  for (int row = 0; row < set.rows(); ++row) {
    out.push_back({.id = set.uuid(row, 0),
                   .filename = std::string(set.text(row, 1)),
                   .size_bytes = static_cast<std::uint64_t>(set.integer(row, 2)),
                   .is_complete = set.boolean(row, 3)});
  }
  return out;
}

}  // namespace cloakroom

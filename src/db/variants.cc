// variants.cc — the statements on variants and on what is known of pictures.
#include "db/variants.h"

#include <cstring>

#include "base/log.h"
#include "db/attachments.h"
#include "domain/pictures.h"

namespace cloakroom {
namespace {

enum Column { kAttachment, kFormat, kMimeType, kStore, kKey, kWidth, kHeight, kSize, kSha256, kCreatedAt };
constexpr Statement kFind{"find_variant",
                          "SELECT " CLOAKROOM_VARIANT_COLUMNS
                          " FROM variants v WHERE attachment_id = $1::uuid AND name = $2::text AND format = $3::text"};
constexpr Statement kFindAll{
    "find_variants",
    "SELECT " CLOAKROOM_VARIANT_COLUMNS
    " FROM variants v WHERE attachment_id = ANY ($1::uuid[]) AND name = $2::text AND format = $3::text"};

// The original's row is locked before it is looked at: a deletion under way is waited for, and then there is none.
constexpr Statement kCommit{
    "commit_variant",
    "WITH gone AS (DELETE FROM deletion_tickets WHERE id = $1::int8 RETURNING 1),"
    " original AS (SELECT id FROM attachments WHERE id = $2::uuid FOR KEY SHARE),"
    " complete AS (SELECT cloakroom_refuse_unless((SELECT count(*) FROM gone) = 1"
    " AND (SELECT count(*) FROM original) = 1, 'making the picture took too long, or the file is gone'))"
    " INSERT INTO variants (attachment_id, name, format, mime_type, store, key, width, height, size_bytes, sha256,"
    " created_at)"
    " SELECT $2::uuid, $3::text, $4::text, $5::text, $6::text, $7::text, $8::int4, $9::int4, $10::int8, $11::bytea,"
    " $12::timestamptz FROM complete"};

constexpr Statement kLearn{"learn_picture",
                           "UPDATE attachments SET width = $2::int4, height = $3::int4, frames = $4::int4,"
                           " duration_ms = $5::int4, picture = $6::text, placeholder = $7::text WHERE id = $1::uuid"};

// Other locks of ours (sql/001) have other names in the same space of numbers.
#define CLOAKROOM_VARIANT_LOCK \
  "(hashtextextended(current_schema() || '/variant/' || $1::text || '/' || $2::text || '/' || $3::text, 0))"
constexpr Statement kTryLock{"try_lock_variant", "SELECT pg_try_advisory_lock" CLOAKROOM_VARIANT_LOCK};
constexpr Statement kUnlock{"unlock_variant", "SELECT pg_advisory_unlock" CLOAKROOM_VARIANT_LOCK};

// $2: the types that domain/pictures knows
#define CLOAKROOM_MAY_HAVE_PICTURE                                                                             \
  " FROM attachments a WHERE a.id > $1::uuid AND a.status <> 'quarantined' AND a.mime_type = ANY ($2::text[])" \
  " AND a.external_url IS NULL"
constexpr Statement kNext{
    "next_pictures", "SELECT " CLOAKROOM_ATTACHMENT_COLUMNS CLOAKROOM_MAY_HAVE_PICTURE " ORDER BY a.id LIMIT $3::int8"};
constexpr Statement kCount{"count_pictures", "SELECT count(*)" CLOAKROOM_MAY_HAVE_PICTURE};

constexpr Statement kForget{"forget_variants",
                            "WITH gone AS (DELETE FROM variants WHERE attachment_id = $1::uuid)"
                            " UPDATE attachments SET picture = NULL WHERE id = $1::uuid AND picture = 'none'"};

// A lock's name, and the words that its parameters point to.
struct LockParams {
  explicit LockParams(const VariantId& id) : attachment(to_string(id.attachment_id)) {
    params.text(attachment).text(id.name).text(to_string(id.format));
  }
  std::string attachment;
  Params params;
};

PgArray type_array() {
  const auto types = picture_types();
  PgArray array(PgArray::Element::kText, types.size());
  for (const std::string_view type : types) array.bytes(type);
  return array;
}

}  // namespace

Result<Variant> read_variant(const ResultSet& set, int row, int first, std::string_view name) {
  const auto format = parse_variant_format(set.text(row, first + kFormat));
  const auto store = parse_store_kind(set.text(row, first + kStore));
  if (!format || !store)
    return Error{Errc::kInternal, "a row of variants holds a word that this program does not know"};
  Variant out;
  out.id = {set.uuid(row, first + kAttachment), std::string(name), *format};
  out.mime_type = set.text(row, first + kMimeType);
  out.store = *store;
  out.key = set.text(row, first + kKey);
  out.width = static_cast<std::uint32_t>(set.integer(row, first + kWidth));
  out.height = static_cast<std::uint32_t>(set.integer(row, first + kHeight));
  out.size_bytes = static_cast<std::uint64_t>(set.integer(row, first + kSize));
  const auto digest = set.text(row, first + kSha256);
  if (digest.size() != out.sha256.size()) return Error{Errc::kInternal, "variants.sha256 is not 32 bytes long"};
  std::memcpy(out.sha256.data(), digest.data(), digest.size());
  out.created_at = set.time(row, first + kCreatedAt);
  return out;
}

Result<std::optional<Variant>> PgVariants::find(const VariantId& id) {
  Params params;
  params.uuid(id.attachment_id).text(id.name).text(to_string(id.format));
  TRY_ASSIGN(const auto set, database_.run(kFind, params));
  if (set.rows() == 0) return std::optional<Variant>{};
  TRY_ASSIGN(Variant found, read_variant(set, 0, 0, id.name));
  return std::optional<Variant>{std::move(found)};
}

Result<std::vector<Variant>> PgVariants::find_all(std::span<const Uuid> attachment_ids, std::string_view name,
                                                  VariantFormat format) {
  PgArray ids(PgArray::Element::kUuid, attachment_ids.size());
  for (const Uuid& id : attachment_ids) ids.uuid(id);
  Params params;
  params.array(std::move(ids)).text(name).text(to_string(format));
  TRY_ASSIGN(const auto set, database_.run(kFindAll, params));
  std::vector<Variant> found;
  for (int row = 0; row < set.rows(); ++row) {
    TRY_ASSIGN(Variant one, read_variant(set, row, 0, name));
    found.push_back(std::move(one));
  }
  return found;
}

Status PgVariants::commit(const Variant& v, const DeletionTicket& ticket) {
  Params params;
  params.int8(ticket.id).uuid(v.id.attachment_id).text(v.id.name).text(to_string(v.id.format)).text(v.mime_type);
  params.text(to_string(v.store)).text(v.key).int4(static_cast<std::int32_t>(v.width));
  params.int4(static_cast<std::int32_t>(v.height)).int8(static_cast<std::int64_t>(v.size_bytes));
  params.text(std::string_view(reinterpret_cast<const char*>(v.sha256.data()), v.sha256.size())).time(v.created_at);
  TRY(database_.run(kCommit, params));
  return Ok{};
}

Status PgVariants::learn(const Attachment& a) {
  Params params;
  params.uuid(a.id);
  for (const auto& number : {a.width, a.height, a.frames, a.duration_ms}) params.maybe_int4(number);
  const auto picture = to_word(a.picture);
  params.text(picture).text(a.placeholder);
  TRY(database_.run(kLearn, params));
  return Ok{};
}

Result<bool> PgVariants::try_lock(const VariantId& id) {
  const LockParams lock(id);
  const auto taken = database_.run(kTryLock, lock.params);
  if (taken) return taken->boolean(0, 0);
  // a time-out may come when it is taken already, and no rollback gives it back
  database_.disconnect();
  return taken.error();
}

void PgVariants::unlock(const VariantId& id) {
  const LockParams lock(id);
  const auto done = database_.run(kUnlock, lock.params);
  if (done) return;
  // The session would keep it for as long as it lives, and nobody could make this variant.
  database_.disconnect();
  log(Level::kWarning, "variant.unlock_failed", {{"detail", done.error().detail}});
}

Result<std::vector<Attachment>> PgVariants::next(const Uuid& after, std::size_t most) {
  Params params;
  params.uuid(after).array(type_array()).int8(static_cast<std::int64_t>(most));
  TRY_ASSIGN(const auto set, database_.run(kNext, params));
  return read_attachments(set);
}

Result<std::uint64_t> PgVariants::count_from(const Uuid& after) {
  Params params;
  params.uuid(after).array(type_array());
  TRY_ASSIGN(const auto set, database_.run(kCount, params));
  return static_cast<std::uint64_t>(set.integer(0, 0));
}

Status PgVariants::forget(const Uuid& attachment_id) {
  Params params;
  params.uuid(attachment_id);
  TRY(database_.run(kForget, params));
  return Ok{};
}

}  // namespace cloakroom

// audit.cc — the statements of an audit.
#include "db/audit.h"

#include <cstring>
#include <unordered_map>

#include "db/copies.h"

namespace cloakroom {
namespace {

constexpr unsigned kPageRows = 1000;

// $1: the store. `owner`: below 2 a row, 2 a promise. Whatever else comes to hold a key of an object belongs here, or
// its objects are taken for lost ones.
#define CLOAKROOM_KNOWN                                                                                              \
  "(SELECT key, 0::int4 AS owner, id, NULL::text AS variant, size_bytes, sha256, true AS has_original"               \
  " FROM attachments WHERE store = $1::text"                                                                         \
  " UNION ALL SELECT v.key, 1, v.attachment_id, v.name || '/' || v.format, v.size_bytes, v.sha256, a.id IS NOT NULL" \
  " FROM variants v LEFT JOIN attachments a ON a.id = v.attachment_id WHERE v.store = $1::text"                      \
  " UNION ALL SELECT c.key, -1, a.id, NULL, a.size_bytes, a.sha256, true"                                            \
  " FROM copies c JOIN attachments a ON a.id = c.attachment_id WHERE c.store = $1::text"                             \
  " UNION ALL SELECT key, 2, NULL, NULL, NULL, NULL, NULL FROM deletion_tickets WHERE store = $1::text"              \
  " UNION ALL SELECT payload->>'key', 2, NULL, NULL, NULL, NULL, NULL FROM jobs"                                     \
  " WHERE kind = 'delete_object' AND payload->>'store' = $1::text AND payload->>'key' IS NOT NULL"                   \
  " UNION ALL SELECT payload->>'key', 2, NULL, NULL, NULL, NULL, NULL FROM dead_jobs"                                \
  " WHERE kind = 'delete_object' AND payload->>'store' = $1::text AND payload->>'key' IS NOT NULL"                   \
  " UNION ALL SELECT key, 2, NULL, NULL, NULL, NULL, NULL FROM tombstone_objects WHERE store = $1::text"             \
  " UNION ALL SELECT key, 2, NULL, NULL, NULL, NULL, NULL FROM moved_sources WHERE store = $1::text"                 \
  " UNION ALL SELECT key, 2, NULL, NULL, NULL, NULL, NULL FROM direct_uploads WHERE store = $1::text) known"
enum Column { kKey, kOwner, kId, kVariant, kSize, kSha256, kHasOriginal };

constexpr const char* kAll = "SELECT * FROM " CLOAKROOM_KNOWN
                             " WHERE key NOT LIKE '.kept/%' OR starts_with(key, $2::text)"
                             " ORDER BY key COLLATE \"C\", owner";
constexpr const char* kCount =
    "SELECT (SELECT count(*) FROM attachments WHERE store = $1::text"
    " AND (key NOT LIKE '.kept/%' OR starts_with(key, $2::text)))"
    " + (SELECT count(*) FROM variants WHERE store = $1::text) + (SELECT count(*) FROM copies WHERE store = $1::text)";

constexpr Statement kLook{"audit_look",
                          "SELECT * FROM " CLOAKROOM_KNOWN " WHERE key = ANY ($2::text[]) ORDER BY owner DESC"};

// One statement, one look: whoever came to know a key before it keeps the object.
constexpr Statement kQueue{"audit_queue", "WITH known_now AS MATERIALIZED (SELECT key FROM " CLOAKROOM_KNOWN
                                          " WHERE key = ANY ($2::text[])),"
                                          " queued AS (INSERT INTO jobs (kind, payload)"
                                          " SELECT 'delete_object', jsonb_build_object('store', $1::text, 'key', k)"
                                          " FROM unnest($2::text[]) k WHERE k NOT IN (SELECT key FROM known_now)"
                                          " RETURNING payload->>'key' AS key)"
                                          " SELECT key FROM queued"};
constexpr Statement kWake{"audit_wake", "SELECT pg_notify('cloakroom_jobs', '')"};

constexpr Statement kRemoveVariant{"audit_remove_variant",
                                   "DELETE FROM variants WHERE store = $1::text AND key = $2::text"};

PgArray text_array(std::span<const std::string> texts) {
  PgArray array(PgArray::Element::kText, texts.size());
  for (const std::string& text : texts) array.text(text);
  return array;
}

KnownObject::Owner owner_of(std::int64_t number) {
  using Owner = KnownObject::Owner;
  if (number == -1) return Owner::kCopy;
  if (number == 0) return Owner::kFile;
  return number == 1 ? Owner::kVariant : Owner::kPromise;
}

Result<KnownObject> read_known(const ResultSet& set, int row) {
  KnownObject out;
  out.key = set.text(row, kKey);
  out.owner = owner_of(set.integer(row, kOwner));
  if (out.owner == KnownObject::Owner::kPromise) return out;
  out.attachment_id = set.uuid(row, kId);
  out.variant = set.maybe_text(row, kVariant).value_or("");
  out.size_bytes = static_cast<std::uint64_t>(set.integer(row, kSize));
  const auto digest = set.text(row, kSha256);
  if (digest.size() != out.sha256.size()) return Error{Errc::kInternal, "a sha256 is not 32 bytes long"};
  std::memcpy(out.sha256.data(), digest.data(), digest.size());
  out.has_original = set.boolean(row, kHasOriginal);
  return out;
}

}  // namespace

Result<std::uint64_t> PgAuditRows::begin(StoreKind store) {
  cursor_.reset();
  page_.reset();
  row_ = 0;
  Params params;
  params.text(to_string(store)).text(kept_prefix_);
  TRY_ASSIGN(PgCursor cursor, PgCursor::open(database_, "cloakroom_audit", kAll, params));
  cursor_.emplace(std::move(cursor));
  TRY_ASSIGN(const auto count, database_.run_once(kCount, params));
  return static_cast<std::uint64_t>(count.integer(0, 0));
}

Result<std::optional<KnownObject>> PgAuditRows::next() {
  if (!cursor_) return std::optional<KnownObject>();
  if (!page_ || row_ == page_->rows()) {
    const bool was_last = page_ && page_->rows() < static_cast<int>(kPageRows);
    page_.reset();  // before the next one comes
    row_ = 0;
    if (!was_last) {
      TRY_ASSIGN(ResultSet page, cursor_->fetch(kPageRows));
      if (page.rows() > 0) page_.emplace(std::move(page));
    }
    if (!page_) {
      cursor_.reset();
      return std::optional<KnownObject>();
    }
  }
  TRY_ASSIGN(KnownObject known, read_known(*page_, row_++));
  return std::optional(std::move(known));
}

Result<std::vector<std::optional<KnownObject>>> PgAuditRows::look(StoreKind store, std::span<const std::string> keys) {
  Params params;
  params.text(to_string(store)).array(text_array(keys));
  TRY_ASSIGN(const auto set, database_.run(kLook, params));
  std::unordered_map<std::string, KnownObject> found;
  for (int row = 0; row < set.rows(); ++row) {  // promises first, so that a row replaces one
    TRY_ASSIGN(KnownObject known, read_known(set, row));
    found[known.key] = std::move(known);
  }
  std::vector<std::optional<KnownObject>> out(keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (const auto one = found.find(keys[i]); one != found.end()) out[i] = one->second;
  }
  return out;
}

Result<std::vector<bool>> PgAuditRows::queue_deletions(StoreKind store, std::span<const std::string> keys) {
  Params params;
  params.text(to_string(store)).array(text_array(keys));
  TRY_ASSIGN(const auto set, database_.run(kQueue, params));
  std::vector<bool> queued(keys.size(), false);
  for (int row = 0; row < set.rows(); ++row) {
    for (std::size_t i = 0; i < keys.size(); ++i) {
      if (keys[i] == set.text(row, 0)) queued[i] = true;
    }
  }
  if (set.rows() > 0) TRY(database_.run(kWake, Params{}));
  return queued;
}

Result<bool> PgAuditRows::remove_variant(StoreKind store, const std::string& key) {
  Params params;
  params.text(to_string(store)).text(key);
  TRY_ASSIGN(const auto set, database_.run(kRemoveVariant, params));
  return set.affected() > 0;
}

Result<bool> PgAuditRows::want_copy_again(StoreKind store, const KnownObject& copy) {
  return PgCopies(database_).want_again(copy.attachment_id, {store, copy.key});
}

}  // namespace cloakroom

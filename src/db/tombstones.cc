// tombstones.cc — the statements on tombstones.
#include "db/tombstones.h"

namespace cloakroom {
namespace {

constexpr Statement kList{
    "list_tombstones",
    "SELECT t.id, coalesce(t.attachment->>'filename', ''), t.reason, t.attachment->>'uploader_id',"
    " t.attachment->>'message_id', t.size_bytes, t.deleted_at, t.purge_after, t.purge_begun::int4"
    " FROM tombstones t ORDER BY t.deleted_at DESC, t.id DESC LIMIT $1::int8"};

constexpr Statement kObjectsOf{"tombstone_objects",
                               "SELECT o.tombstone, o.store, o.key FROM tombstone_objects o"
                               " JOIN tombstones t ON t.id = o.tombstone WHERE o.tombstone = $1::uuid"
                               " ORDER BY (o.store = t.attachment->>'store' AND o.key = t.attachment->>'key') DESC"};

constexpr Statement kRestore{"restore_tombstone", "SELECT cloakroom_restore($1::uuid)"};

// A row whose bytes lie under the same key, whoever made it, keeps them.
constexpr Statement kBeginPurge{
    "begin_purge",
    "WITH begun AS (UPDATE tombstones SET purge_begun = true WHERE id = ANY ($1::uuid[]) RETURNING id)"
    " SELECT o.tombstone, o.store, o.key FROM tombstone_objects o JOIN begun b ON b.id = o.tombstone"
    " WHERE NOT EXISTS (SELECT FROM attachments a WHERE a.store = o.store AND a.key = o.key)"
    " AND NOT EXISTS (SELECT FROM variants v WHERE v.store = o.store AND v.key = o.key)"
    " AND NOT EXISTS (SELECT FROM copies c WHERE c.store = o.store AND c.key = o.key)"};

constexpr Statement kForget{"forget_tombstones", "DELETE FROM tombstones WHERE id = ANY ($1::uuid[]) AND purge_begun"};

PgArray id_array(std::span<const Uuid> ids) {
  PgArray array(PgArray::Element::kUuid, ids.size());
  for (const Uuid& id : ids) array.uuid(id);
  return array;
}

Result<std::vector<BuriedObject>> read_objects(const ResultSet& set) {
  std::vector<BuriedObject> out;
  for (int row = 0; row < set.rows(); ++row) {
    const auto store = parse_store_kind(set.text(row, 1));
    if (!store) return Error{Errc::kInternal, "tombstone_objects.store holds a word that this program does not know"};
    out.push_back({set.uuid(row, 0), *store, std::string(set.text(row, 2))});
  }
  return out;
}

}  // namespace

Result<std::vector<Tombstone>> PgTombstones::list(std::size_t most) {
  Params params;
  params.int8(static_cast<std::int64_t>(most));
  TRY_ASSIGN(const auto set, database_.run(kList, params));
  std::vector<Tombstone> out;
  for (int row = 0; row < set.rows(); ++row) {
    out.push_back({.id = set.uuid(row, 0),
                   .filename = std::string(set.text(row, 1)),
                   .reason = std::string(set.text(row, 2)),
                   .uploader_id = set.maybe_text(row, 3),
                   .message_id = set.maybe_text(row, 4),
                   .size_bytes = static_cast<std::uint64_t>(set.integer(row, 5)),
                   .deleted_at = set.time(row, 6),
                   .purge_after = set.time(row, 7),
                   .is_late = set.boolean(row, 8)});
  }
  return out;
}

Result<std::vector<BuriedObject>> PgTombstones::objects_of(const Uuid& id) {
  Params params;
  params.uuid(id);
  TRY_ASSIGN(const auto set, database_.run(kObjectsOf, params));
  return read_objects(set);
}

Result<Restored> PgTombstones::restore(const Uuid& id) {
  Params params;
  params.uuid(id);
  TRY_ASSIGN(const auto set, database_.run(kRestore, params));
  const std::string_view word = set.text(0, 0);
  if (word == "restored") return Restored::kDone;
  return word == "late" ? Restored::kLate : Restored::kAbsent;
}

Result<std::vector<BuriedObject>> PgTombstones::begin_purge(std::span<const Uuid> ids) {
  Params params;
  params.array(id_array(ids));
  TRY_ASSIGN(const auto set, database_.run(kBeginPurge, params));
  return read_objects(set);
}

Status PgTombstones::forget(std::span<const Uuid> ids) {
  if (ids.empty()) return Ok{};
  Params params;
  params.array(id_array(ids));
  TRY(database_.run(kForget, params));
  return Ok{};
}

}  // namespace cloakroom

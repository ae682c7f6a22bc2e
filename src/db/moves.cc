// moves.cc — the statements of a move from store to store.
#include "db/moves.h"

#include "db/attachments.h"
#include "db/copies.h"
#include "db/variants.h"

namespace cloakroom {

// $1 the store, $2 the key before, $3 the part, of $4 parts, $5 how many. Keys are not even numbers; their hashes are.
#define CLOAKROOM_SHARE_OF(t)                                                             \
  t ".store = $1::text AND " t ".key > $2::text AND " t                                   \
    ".key NOT LIKE '.kept/%'"                                                             \
    " AND mod(hashtextextended(" t ".key, 0) & 1048575, $4::int8) = $3::int8 ORDER BY " t \
    ".key"                                                                                \
    " LIMIT $5::int8"

const Statement kNextMovable{
    "next_movable", "SELECT " CLOAKROOM_ATTACHMENT_COLUMNS " FROM attachments a WHERE " CLOAKROOM_SHARE_OF("a")};
const Statement kNextMovableVariant{"next_movable_variant",
                                    "SELECT " CLOAKROOM_ATTACHMENT_COLUMNS ", v.name, " CLOAKROOM_VARIANT_COLUMNS
                                    " FROM variants v JOIN attachments a ON a.id = v.attachment_id"
                                    " WHERE " CLOAKROOM_SHARE_OF("v")};

namespace {

constexpr int kNameColumn = kAttachmentColumns;

constexpr Statement kPlan{"plan_moves",
                          "SELECT key, ticket, was_known FROM cloakroom_plan_moves($1::text, $2::text[], $3::text[],"
                          " $4::int8 * interval '1 second') ORDER BY place"};

// $1 the ticket, $2 id, $3 and $4 what the row names, $5 and $6 what it shall name, $7 the time for readers in seconds.
// As with switch_object in attachments.cc: who waited for another UPDATE or DELETE looks at the row anew. What earlier
// moves of the object left follows its row, so that it goes with it.
#define CLOAKROOM_SWITCH(update, more)                                                                           \
  "WITH gone AS (DELETE FROM deletion_tickets WHERE id = $1::int8 RETURNING 1),"                                 \
  " moved AS (" update                                                                                           \
  " RETURNING t.size_bytes),"                                                                                    \
  " complete AS (SELECT cloakroom_refuse_unless(count(*) = 1, 'the row was changed meanwhile'), max(size_bytes)" \
  " AS size_bytes FROM moved)," more                                                                             \
  " earlier AS (UPDATE moved_sources s SET row_key = $6::text FROM complete"                                     \
  " WHERE s.row_key = $4::text AND $4::text <> $6::text)"                                                        \
  " INSERT INTO moved_sources (store, key, row_key, size_bytes, remove_after)"                                   \
  " SELECT $3::text, $4::text, $6::text, complete.size_bytes, now() + $7::int8 * interval '1 second' FROM complete"
#define CLOAKROOM_FILE_ROW                                              \
  "UPDATE attachments t SET store = $5::text, key = $6::text FROM gone" \
  " WHERE t.id = $2::uuid AND t.store = $3::text AND t.key = $4::text"
constexpr Statement kSwitchFile{"switch_file", CLOAKROOM_SWITCH(CLOAKROOM_FILE_ROW, "")};
// As commit_with_copies in attachments.cc.
constexpr Statement kSwitchFileToCopy{
    "switch_file_to_copy",
    CLOAKROOM_SWITCH(CLOAKROOM_FILE_ROW,
                     CLOAKROOM_WISHES("(SELECT $2::uuid AS id, size_bytes FROM complete) come") ",")};
constexpr Statement kSwitchVariant{
    "switch_variant", CLOAKROOM_SWITCH("UPDATE variants t SET store = $5::text, key = $6::text FROM gone"
                                       " WHERE t.attachment_id = $2::uuid AND t.store = $3::text AND t.key = $4::text",
                                       "")};

constexpr Statement kFileIsThere{
    "movable_is_there", "SELECT count(*) FROM attachments WHERE id = $1::uuid AND store = $2::text AND key = $3::text"};
constexpr Statement kVariantIsThere{
    "movable_variant_is_there",
    "SELECT count(*) FROM variants WHERE attachment_id = $1::uuid AND store = $2::text AND key = $3::text"};

constexpr Statement kGiveUp{"give_up_move", "UPDATE deletion_tickets SET due_at = now() WHERE id = $1::int8"};

constexpr const char* kCount =
    "SELECT a.files, a.bytes, v.files, v.bytes FROM"
    " (SELECT count(*) AS files, coalesce(sum(size_bytes), 0)::int8 AS bytes FROM attachments"
    " WHERE store = $1::text AND key NOT LIKE '.kept/%') a,"
    " (SELECT count(*) AS files, coalesce(sum(size_bytes), 0)::int8 AS bytes FROM variants WHERE store = $1::text) v";

constexpr const char* kIsUsed =
    "SELECT EXISTS (SELECT FROM attachments WHERE store = $1::text)"
    " OR EXISTS (SELECT FROM variants WHERE store = $1::text)"
    " OR EXISTS (SELECT FROM copies WHERE store = $1::text)"
    " OR EXISTS (SELECT FROM moved_sources WHERE store = $1::text)";

constexpr const char* kWaiting =
    "SELECT store, count(*), coalesce(sum(size_bytes), 0)::int8, min(remove_after), max(remove_after)"
    " FROM moved_sources GROUP BY store ORDER BY store";

PgArray key_array(std::size_t size) {
  return {PgArray::Element::kText, size};
}

void name_object(Params& params, const MovableObject& object) {
  params.uuid(object.file.id).text(to_string(object.file.store)).text(object.file.key);
}

}  // namespace

Result<std::vector<MovableObject>> PgMoves::next(const MoveShare& share, const std::string& after, std::size_t most) {
  database_.begin_request();  // a large file took its time, and the idle connection may have gone
  Params params;
  params.text(to_string(share.store)).text(after).int8(share.part).int8(share.parts);
  params.int8(static_cast<std::int64_t>(most));
  const bool is_variants = share.rows == MovableRows::kVariants;
  TRY_ASSIGN(const auto set, database_.run(is_variants ? kNextMovableVariant : kNextMovable, params));
  std::vector<MovableObject> page;
  page.reserve(static_cast<std::size_t>(set.rows()));
  for (int row = 0; row < set.rows(); ++row) {
    TRY_ASSIGN(Attachment original, read_attachment(set, row));
    if (!is_variants) {
      page.push_back({std::move(original)});
      continue;
    }
    TRY_ASSIGN(const Variant variant, read_variant(set, row, kNameColumn + 1, set.text(row, kNameColumn)));
    page.push_back({as_file(variant, original), variant.id});
  }
  return page;
}

Result<std::vector<PlannedMove>> PgMoves::plan(StoreKind to, std::span<const MoveNames> names,
                                               std::chrono::seconds life) {
  PgArray wanted = key_array(names.size()), others = key_array(names.size());
  for (const MoveNames& one : names) {
    wanted.bytes(one.wanted.str());
    others.bytes(one.other.str());
  }
  Params params;
  params.text(to_string(to)).array(std::move(wanted)).array(std::move(others)).int8(life.count());
  TRY_ASSIGN(const auto set, database_.run(kPlan, params));
  std::vector<PlannedMove> plans;
  for (int row = 0; row < set.rows(); ++row) {
    TRY_ASSIGN(ObjectKey key, ObjectKey::parse(set.text(row, 0)));
    plans.push_back({std::move(key), {set.integer(row, 1)}, set.boolean(row, 2)});
  }
  return plans;
}

Status PgMoves::switch_object(const MoveSwitch& change) {
  database_.begin_request();
  Params params;
  params.int8(change.ticket.id);
  name_object(params, change.object);
  params.text(to_string(change.to)).text(change.to_key).int8(change.grace.count());
  const bool gets_copy = wants_copies_ && change.to == StoreKind::kLocal;
  const Statement& file = gets_copy ? kSwitchFileToCopy : kSwitchFile;
  TRY(database_.run(change.object.variant ? kSwitchVariant : file, params));
  return Ok{};
}

Result<bool> PgMoves::is_unchanged(const MovableObject& object) {
  database_.begin_request();
  Params params;
  name_object(params, object);
  TRY_ASSIGN(const auto set, database_.run(object.variant ? kVariantIsThere : kFileIsThere, params));
  return set.integer(0, 0) > 0;
}

Status PgMoves::give_up(DeletionTicket ticket) {
  Params params;
  params.int8(ticket.id);
  TRY(database_.run(kGiveUp, params));
  return Ok{};
}

Result<MoveCounts> PgMoves::count(StoreKind store) {
  database_.begin_request();
  Params params;
  params.text(to_string(store));
  TRY_ASSIGN(const auto set, database_.run_once(kCount, params));
  const auto number = [&](int column) { return static_cast<std::uint64_t>(set.integer(0, column)); };
  return MoveCounts{number(0), number(1), number(2), number(3)};
}

Result<bool> PgMoves::is_used(StoreKind store) {
  Params params;
  params.text(to_string(store));
  TRY_ASSIGN(const auto set, database_.run_once(kIsUsed, params));
  return set.boolean(0, 0);
}

Result<std::vector<WaitingSources>> PgMoves::waiting() {
  TRY_ASSIGN(const auto set, database_.run_once(kWaiting, Params{}));
  std::vector<WaitingSources> out;
  for (int row = 0; row < set.rows(); ++row) {
    const auto store = parse_store_kind(set.text(row, 0));
    if (!store) return Error{Errc::kInternal, "moved_sources.store holds a word that this program does not know"};
    out.push_back({.store = *store,
                   .objects = static_cast<std::uint64_t>(set.integer(row, 1)),
                   .bytes = static_cast<std::uint64_t>(set.integer(row, 2)),
                   .first_due = set.time(row, 3),
                   .last_due = set.time(row, 4)});
  }
  return out;
}

}  // namespace cloakroom

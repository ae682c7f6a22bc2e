// scrubs.cc — the statements of the walk.
#include "db/scrubs.h"

#include "db/attachments.h"
#include "db/copies.h"

namespace cloakroom {
namespace {

// A total that a later version counts, or an earlier one did not, is 0 here.
#define CLOAKROOM_TOTAL(name) "coalesce((totals->>'" name "')::int8, 0)"

constexpr Statement kBegin{
    "begin_scrub",
    "INSERT INTO scrubs AS s (single) VALUES (true) ON CONFLICT (single) DO UPDATE SET"
    " after = CASE WHEN s.finished_at IS NULL THEN s.after ELSE '00000000-0000-0000-0000-000000000000' END,"
    " begun_at = CASE WHEN s.finished_at IS NULL THEN s.begun_at ELSE now() END,"
    " totals = CASE WHEN s.finished_at IS NULL THEN s.totals ELSE '{}' END, finished_at = NULL"
    " RETURNING after, " CLOAKROOM_TOTAL("files") ", " CLOAKROOM_TOTAL("bytes") ", " CLOAKROOM_TOTAL(
        "repaired") ", " CLOAKROOM_TOTAL("queued") ", " CLOAKROOM_TOTAL("broken") ", " CLOAKROOM_TOTAL("skipped")};

constexpr Statement kCount{"count_for_scrub",
                           "SELECT count(*) FROM attachments WHERE id > $1::uuid AND external_url IS NULL"};

constexpr Statement kNext{"next_for_scrub",
                          "SELECT " CLOAKROOM_ATTACHMENT_COLUMNS ", " CLOAKROOM_COPY_COLUMNS
                          " FROM attachments a LEFT JOIN copies c ON c.attachment_id = a.id"
                          " WHERE a.id > $1::uuid AND a.external_url IS NULL ORDER BY a.id LIMIT $2::int8"};

constexpr Statement kAdvance{
    "advance_scrub",
    "WITH noted AS (UPDATE copies SET verified_at = now(), repair_asked_at = NULL"
    " WHERE attachment_id = ANY ($8::uuid[]) AND key IS NOT NULL)"
    " UPDATE scrubs SET after = $1::uuid, finished_at = CASE WHEN $9::bool THEN now() END,"
    " totals = jsonb_build_object('files', $2::int8, 'bytes', $3::int8, 'repaired', $4::int8, 'queued', $5::int8,"
    " 'broken', $6::int8, 'skipped', $7::int8)"};

}  // namespace

Result<ScrubState> PgScrubs::begin() {
  TRY_ASSIGN(const auto set, database_.run(kBegin, Params{}));
  const auto number = [&set](int column) { return static_cast<std::uint64_t>(set.integer(0, column)); };
  ScrubState state{.after = set.uuid(0, 0),
                   .totals = {.files = number(1),
                              .bytes = number(2),
                              .repaired = number(3),
                              .queued = number(4),
                              .broken = number(5),
                              .skipped = number(6)}};
  state.is_resumed = state.after != Uuid{};
  return state;
}

Result<std::uint64_t> PgScrubs::count_from(const Uuid& after) {
  Params params;
  params.uuid(after);
  TRY_ASSIGN(const auto set, database_.run(kCount, params));
  return static_cast<std::uint64_t>(set.integer(0, 0));
}

Result<std::vector<FileWithCopy>> PgScrubs::next(const Uuid& after, std::size_t most) {
  Params params;
  params.uuid(after).int8(static_cast<std::int64_t>(most));
  TRY_ASSIGN(const auto set, database_.run(kNext, params));
  std::vector<FileWithCopy> out;
  out.reserve(static_cast<std::size_t>(set.rows()));
  for (int row = 0; row < set.rows(); ++row) {
    TRY_ASSIGN(auto one, read_file_with_copy(set, row));
    out.push_back(std::move(one));
  }
  return out;
}

Status PgScrubs::advance(const Uuid& after, const ScrubTotals& totals, std::span<const Uuid> right, bool is_finished) {
  PgArray ids(PgArray::Element::kUuid, right.size());
  for (const Uuid& id : right) ids.uuid(id);
  Params params;
  params.uuid(after);
  for (const std::uint64_t number :
       {totals.files, totals.bytes, totals.repaired, totals.queued, totals.broken, totals.skipped}) {
    params.int8(static_cast<std::int64_t>(number));
  }
  params.array(std::move(ids)).boolean(is_finished);
  TRY(database_.run(kAdvance, params));
  return Ok{};
}

}  // namespace cloakroom

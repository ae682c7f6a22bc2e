// deletions.cc — the statements of cache_purges.
#include "db/deletions.h"

#include <string>

namespace cloakroom {
namespace {

constexpr std::int64_t kPageRows = 2000;

constexpr Statement kMark{"deletions_mark", "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::int8"};

// xid8 has no cast from a number.
constexpr Statement kPage{"deletions_page",
                          "SELECT tx::text::int8, id, store, key, size_bytes FROM cache_purges"
                          " WHERE (tx, id) > ($1::int8::text::xid8, $2::int8) ORDER BY tx, id LIMIT $3::int8"};

constexpr Statement kForget{"deletions_forget",
                            "DELETE FROM cache_purges WHERE deleted_at < now() - $1::int8 * interval '1 hour'"};

// What a statement can see was committed below its snapshot's xmax, unless it came from another cluster.
#define CLOAKROOM_IN_THE_FUTURE "tx >= pg_snapshot_xmax(pg_current_snapshot())"
constexpr const char* kFuture = "SELECT 1 FROM cache_purges WHERE " CLOAKROOM_IN_THE_FUTURE " LIMIT 1";
constexpr const char* kRenumber = "UPDATE cache_purges SET tx = DEFAULT WHERE " CLOAKROOM_IN_THE_FUTURE;

}  // namespace

Result<DeletionMark> PgDeletions::mark() {
  database_.begin_request();  // the runner slept: its connection may have gone meanwhile
  TRY_ASSIGN(const auto set, database_.run(kMark, Params{}));
  return static_cast<DeletionMark>(set.integer(0, 0));
}

Status PgDeletions::since(DeletionMark mark, const std::function<void(const DeletedObject&)>& take) {
  auto tx = static_cast<std::int64_t>(mark);
  std::int64_t id = 0;
  while (true) {
    Params params;
    params.int8(tx).int8(id).int8(kPageRows);
    TRY_ASSIGN(const auto page, database_.run(kPage, params));
    for (int row = 0; row < page.rows(); ++row) {
      // a store that a newer program knows has no copies under names that we know
      if (const auto store = parse_store_kind(page.text(row, 2))) {
        take({*store, page.text(row, 3), static_cast<std::uint64_t>(page.integer(row, 4))});
      }
      tx = page.integer(row, 0);
      id = page.integer(row, 1);
    }
    if (page.rows() < kPageRows) return Ok{};
  }
}

Status PgDeletions::forget(std::chrono::hours age) {
  database_.begin_request();
  Params params;
  params.int8(age.count());
  TRY(database_.run(kForget, params));
  return Ok{};
}

Status PgDeletions::renumber() {
  // UPDATE wants a right that a role of workers may lack even when there is nothing to do: so look first.
  TRY_ASSIGN(const auto found, database_.run_once(kFuture, Params{}));
  if (found.rows() > 0) TRY(database_.run_once(kRenumber, Params{}));
  return Ok{};
}

}  // namespace cloakroom

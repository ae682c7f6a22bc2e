// rescans_test.cc — the walk's one row on a real PostgreSQL: who holds it, where it goes on, and what it passes by.
#include "db/rescans.h"

#include "database.h"

namespace {

using namespace db;
using std::chrono::seconds;

struct World {
  Database database{options()};
  PgRows rows{database};
  PgRescans one{database, "one"}, two{database, "two"};
  World() {
    clear(database);
    CHECK_OK(database.run_script("TRUNCATE rescans, cache_purges"));
  }
};

void a_walk_begins_once_for_each_newer_number() {
  World w;
  CHECK(!CHECK_OK(w.one.hold(1, seconds(60))));
  CHECK(CHECK_OK(w.one.begin(1, false)));
  CHECK(!CHECK_OK(w.two.begin(1, false)));
  CHECK(!CHECK_OK(w.two.begin(0, false)));
  CHECK(CHECK_OK(w.one.hold(1, seconds(60))) == Uuid{});
  CHECK(CHECK_OK(w.two.begin(2, false)));
  CHECK(!CHECK_OK(w.one.hold(1, seconds(60))));  // of a runner that is behind
  CHECK(CHECK_OK(w.one.hold(2, seconds(60))) == Uuid{});
  CHECK(CHECK_OK(w.two.begin(2, true)));  // asked for by hand
}

void one_runner_holds_it_and_another_goes_on_from_there() {
  World w;
  const Uuid place = new_id();
  CHECK(CHECK_OK(w.one.begin(1, false)));
  CHECK(CHECK_OK(w.one.hold(1, seconds(60))).has_value());
  CHECK(!CHECK_OK(w.two.hold(1, seconds(60))));
  CHECK_OK(w.one.advance(1, place, false));
  CHECK(CHECK_OK(w.one.hold(1, seconds(0))) == place);  // again, and then it dies
  CHECK(CHECK_OK(w.two.hold(1, seconds(60))) == place);
  CHECK_ERR(w.one.advance(1, new_id(), false), Errc::kConflict);
  CHECK_OK(w.two.advance(1, place, true));
  CHECK(!CHECK_OK(w.two.hold(1, seconds(60))));
  CHECK_ERR(w.two.advance(1, place, true), Errc::kConflict);
}

void it_passes_every_row_once_in_order_but_those_in_quarantine() {
  World w;
  std::vector<Uuid> ids;
  for (int i = 0; i < 7; ++i) ids.push_back(put(w.rows, upload()).id);
  std::sort(ids.begin(), ids.end(), [](const Uuid& a, const Uuid& b) { return a.bytes < b.bytes; });
  CHECK(CHECK_OK(w.rows.quarantine(ids[2])));
  std::vector<Uuid> seen;
  for (Uuid after;;) {
    const auto rows = CHECK_OK(w.one.next(after, 3));
    for (const Attachment& row : rows) seen.push_back(row.id);
    if (rows.size() < 3) break;
    after = rows.back().id;
  }
  ids.erase(ids.begin() + 2);
  CHECK(seen == ids);
}

void what_goes_into_quarantine_is_purged_from_caches_as_what_is_deleted() {
  World w;
  Attachment in_s3 = upload();
  in_s3.store = StoreKind::kS3;
  in_s3.size_bytes = 99;
  put(w.rows, in_s3);
  Attachment in_second = upload();
  in_second.store = StoreKind::kS3Secondary;
  put(w.rows, in_second);
  const Attachment on_disk = put(w.rows, upload());
  for (int i = 0; i < 2; ++i) {  // the second time it is there already
    CHECK(CHECK_OK(w.rows.quarantine(in_s3.id)));
    CHECK(CHECK_OK(w.rows.quarantine(on_disk.id)));
    CHECK(CHECK_OK(w.rows.quarantine(in_second.id)));
  }
  CHECK_EQ(value(w.database, "SELECT string_agg(store || key || ' ' || size_bytes, ',' ORDER BY id) FROM cache_purges"),
           "s3" + in_s3.key + " 99,s3-secondary" + in_second.key + " " + std::to_string(in_second.size_bytes));
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      CASE(a_walk_begins_once_for_each_newer_number),
      CASE(one_runner_holds_it_and_another_goes_on_from_there),
      CASE(it_passes_every_row_once_in_order_but_those_in_quarantine),
      CASE(what_goes_into_quarantine_is_purged_from_caches_as_what_is_deleted),
  };
  return db::run("rescans", tests);
}

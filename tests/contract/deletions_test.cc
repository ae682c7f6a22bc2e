// deletions_test.cc — the record of deleted objects on a real PostgreSQL: every way of deleting, and late commits.
#include "db/deletions.h"

#include <map>
#include <string>

#include "database.h"

namespace {

using namespace db;

using Found = std::map<std::string, std::uint64_t>;  // key -> size

struct World : Emptied {
  PgDeletions deletions{database};
  World() { CHECK_OK(database.run_script("TRUNCATE cache_purges")); }

  Attachment add(StoreKind kind = StoreKind::kS3, std::uint64_t size_bytes = 3) {
    Attachment a = upload();
    a.store = kind;
    a.size_bytes = size_bytes;
    return put(rows, a);
  }
  Found since(DeletionMark mark) {
    Found found;
    CHECK_OK(deletions.since(mark, [&](const DeletedObject& one) { found[std::string(one.key)] = one.size_bytes; }));
    return found;
  }
};

std::string where_id(const Attachment& a) {
  return " WHERE id = '" + to_string(a.id) + "'";
}

}  // namespace

static void every_way_of_deletion_is_on_record_with_the_size() {
  World w;
  const Attachment by_us = w.add(), by_sql = w.add(StoreKind::kS3, 6ULL << 30), cut = w.add();
  CHECK(CHECK_OK(w.rows.remove_unlinked(by_us.id)));
  CHECK_OK(w.database.run_script("DELETE FROM attachments" + where_id(by_sql)));
  CHECK(w.since(0) == (Found{{by_us.key, 3}, {by_sql.key, 6ULL << 30}}));
  CHECK_OK(w.database.run_script("TRUNCATE attachments CASCADE"));
  CHECK_EQ(w.since(0).size(), 3u);
  CHECK_EQ(w.since(0).count(cut.key), 1u);
}

static void each_store_of_s3_is_named_and_a_move_leaves_it() {
  World w;
  const Attachment first = w.add(StoreKind::kS3, 5), second = w.add(StoreKind::kS3Secondary, 7);
  const auto on_record = [&] {
    return value(w.database,
                 "SELECT string_agg(store || ' ' || key || ' ' || size_bytes, ',' ORDER BY id)"
                 " FROM cache_purges");
  };
  CHECK_OK(w.database.run_script("UPDATE attachments SET filename = 'other'"));
  CHECK_EQ(w.since(0).size(), 0u);
  CHECK_OK(w.database.run_script("UPDATE attachments SET store = 's3-secondary'" + where_id(first)));
  CHECK_EQ(on_record(), "s3 " + first.key + " 5");
  CHECK(CHECK_OK(w.rows.remove_unlinked(second.id)));
  CHECK_EQ(on_record(), "s3 " + first.key + " 5,s3-secondary " + second.key + " 7");
  std::map<std::string, StoreKind> stores;
  CHECK_OK(w.deletions.since(0, [&](const DeletedObject& one) { stores[std::string(one.key)] = one.store; }));
  CHECK(stores.at(first.key) == StoreKind::kS3 && stores.at(second.key) == StoreKind::kS3Secondary);
  CHECK_OK(w.database.run_script("TRUNCATE cache_purges; TRUNCATE attachments CASCADE"));
  CHECK_EQ(on_record(), "s3-secondary " + first.key + " 5");
}

static void what_moves_from_the_disk_to_a_store_leaves_no_copy() {
  World w;
  const Attachment a = w.add(StoreKind::kLocal);
  CHECK_OK(w.database.run_script("UPDATE attachments SET store = 's3'" + where_id(a)));
  CHECK(w.since(0).empty());
  // what a newer program knows has no copies under names that we know
  CHECK_OK(w.database.run_script("INSERT INTO cache_purges (store, key, size_bytes) VALUES ('tape', 'k', 3)"));
  CHECK(w.since(0).empty());
}

static void objects_on_the_disk_have_no_copies_in_a_cache() {
  World w;
  CHECK(CHECK_OK(w.rows.remove_unlinked(w.add(StoreKind::kLocal).id)));
  CHECK(w.since(0).empty());
}

static void numbers_of_another_cluster_become_ones_of_this() {
  World w;
  CHECK_OK(
      w.database.run_script("INSERT INTO cache_purges (tx, key, size_bytes) VALUES ('9000000000000', 'restored', 3)"));
  CHECK(CHECK_OK(w.rows.remove_unlinked(w.add().id)));
  const Found all = w.since(0);
  CHECK_EQ(w.since(CHECK_OK(w.deletions.mark())).size(), 1u);  // found by every look
  CHECK_OK(w.deletions.renumber());
  CHECK(w.since(0) == all);
  CHECK(w.since(CHECK_OK(w.deletions.mark())).empty());
}

static void a_mark_is_the_end_of_what_was_seen() {
  World w;
  CHECK(CHECK_OK(w.rows.remove_unlinked(w.add().id)));
  const DeletionMark mark = CHECK_OK(w.deletions.mark());
  CHECK(w.since(mark).empty());
  const Attachment later = w.add();
  CHECK(CHECK_OK(w.rows.remove_unlinked(later.id)));
  CHECK(w.since(mark) == (Found{{later.key, 3}}));
}

static void a_deletion_that_commits_late_is_found_after_younger_ones() {
  World w;
  const Attachment late = w.add(), quick = w.add();
  Database other(options());
  CHECK_OK(other.begin());
  CHECK_OK(other.run_script("DELETE FROM attachments" + where_id(late)));
  CHECK(CHECK_OK(w.rows.remove_unlinked(quick.id)));
  const DeletionMark mark = CHECK_OK(w.deletions.mark());
  CHECK(w.since(0) == (Found{{quick.key, 3}}));
  CHECK_OK(other.commit());
  CHECK_EQ(w.since(mark).count(late.key), 1u);
}

static void a_long_list_comes_in_pages_without_gaps() {
  World w;
  CHECK_OK(w.database.run_script(
      "INSERT INTO cache_purges (key, size_bytes) SELECT 'k' || n, n FROM generate_series(1, 4000) n"));
  const Found found = w.since(0);
  CHECK_EQ(found.size(), 4000u);
  CHECK_EQ(found.at("k4000"), 4000u);
}

static void what_is_old_is_forgotten() {
  World w;
  CHECK_OK(
      w.database.run_script("INSERT INTO cache_purges (key, size_bytes, deleted_at)"
                            " VALUES ('old', 1, now() - interval '3 hours'), ('new', 1, now())"));
  CHECK_OK(w.deletions.forget(std::chrono::hours(2)));
  CHECK(w.since(0) == (Found{{"new", 1}}));
}

int main() {
  const CMUnitTest tests[] = {
      CASE(every_way_of_deletion_is_on_record_with_the_size),
      CASE(each_store_of_s3_is_named_and_a_move_leaves_it),
      CASE(what_moves_from_the_disk_to_a_store_leaves_no_copy),
      CASE(objects_on_the_disk_have_no_copies_in_a_cache),
      CASE(numbers_of_another_cluster_become_ones_of_this),
      CASE(a_mark_is_the_end_of_what_was_seen),
      CASE(a_deletion_that_commits_late_is_found_after_younger_ones),
      CASE(a_long_list_comes_in_pages_without_gaps),
      CASE(what_is_old_is_forgotten),
  };
  return db::run("deletions", tests);
}

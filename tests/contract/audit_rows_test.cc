// audit_rows_test.cc — what an audit reads and mends, on a real PostgreSQL.
#include <algorithm>
#include <string>
#include <vector>

#include "database.h"
#include "db/audit.h"

namespace {

using namespace db;
using Owner = KnownObject::Owner;

struct World : Emptied {
  PgAuditRows audit{database, ".kept/node1/"};
  World() { CHECK_OK(database.run_script("TRUNCATE direct_uploads, cache_purges")); }

  Attachment add(const std::string& key, StoreKind kind = StoreKind::kS3) {
    Attachment a = upload();
    a.store = kind;
    a.key = key;
    a.size_bytes = 7;
    a.sha256 = sha256(key);
    return put(rows, a);
  }
  void add_variant(const Attachment& original, const std::string& key) {
    CHECK_OK(database.run_script("INSERT INTO variants SELECT id, 'thumb', 'webp', 'image/webp', store, '" + key +
                                 "', 1, 1, 5, sha256, now() FROM attachments WHERE id = '" + to_string(original.id) +
                                 "'"));
  }
  void job(const std::string& kind, const std::string& payload) {
    CHECK_OK(database.run_script("INSERT INTO jobs (kind, payload) VALUES ('" + kind + "', '" + payload + "')"));
  }
  std::vector<std::string> keys(StoreKind kind = StoreKind::kS3) {
    CHECK_OK(audit.begin(kind));
    std::vector<std::string> found;
    while (auto one = CHECK_OK(audit.next())) found.push_back(one->key);
    return found;
  }
};

using Keys = std::vector<std::string>;

void rows_variants_and_promises_come_in_the_order_of_bytes() {
  World w;
  const Attachment a = w.add("b/1");
  w.add("B");
  w.add("\xc3\xa9");
  w.add("b.1");
  w.add_variant(a, "b/0");
  w.add("elsewhere", StoreKind::kLocal);
  const std::vector<ObjectKey> promised{CHECK_OK(ObjectKey::parse("a"))};
  CHECK_OK(w.rows.plan_deletions(StoreKind::kS3, promised, std::chrono::seconds(60)));
  w.job("delete_object", R"({"store": "s3", "key": "c"})");
  w.job("delete_object", R"({"store": "local", "key": "d"})");
  w.job("move_object", R"({"store": "s3", "key": "e"})");
  CHECK_OK(w.database.run_script(
      "INSERT INTO direct_uploads (id, filename, declared_type, size_bytes, key, part_bytes, expires_at)"
      " VALUES ('00000000-0000-7000-8000-000000000001', 'x', 'x/y', 1, 'quarantine/1', 0, now())"));
  CHECK_OK(w.database.run_script(
      "INSERT INTO direct_uploads (id, filename, declared_type, size_bytes, key, part_bytes, expires_at, store)"
      " VALUES ('00000000-0000-7000-8000-000000000002', 'x', 'x/y', 1, 'quarantine/2', 0, now(), 's3-secondary')"));
  w.add("b/1", StoreKind::kS3Secondary);
  w.job("delete_object", R"({"store": "s3-secondary", "key": "f"})");
  CHECK(w.keys() == (Keys{"B", "a", "b.1", "b/0", "b/1", "c", "quarantine/1", "\xc3\xa9"}));
  CHECK(w.keys(StoreKind::kS3Secondary) == (Keys{"b/1", "f", "quarantine/2"}));
  CHECK(w.keys(StoreKind::kLocal) == (Keys{"d", "elsewhere"}));
  CHECK_EQ(CHECK_OK(w.audit.begin(StoreKind::kS3)), 5u);  // rows alone
}

void a_row_is_told_with_all_that_is_compared() {
  World w;
  const Attachment a = w.add("a");
  w.add_variant(a, "b");
  CHECK_OK(w.audit.begin(StoreKind::kS3));
  const auto file = CHECK_OK(w.audit.next()), variant = CHECK_OK(w.audit.next());
  CHECK(file->owner == Owner::kFile && file->attachment_id == a.id && file->variant.empty());
  CHECK(file->size_bytes == 7 && file->sha256 == a.sha256 && file->has_original);
  CHECK(variant->owner == Owner::kVariant && variant->attachment_id == a.id && variant->variant == "thumb/webp");
  CHECK(variant->size_bytes == 5 && variant->has_original);
  CHECK(!CHECK_OK(w.audit.next()));
}

void a_copy_has_what_its_file_has_and_is_wanted_anew_when_it_is_lost() {
  World w;
  const Attachment a = w.add("a", StoreKind::kLocal), waits = w.add("b", StoreKind::kLocal);
  CHECK_OK(w.database.run_script(
      "INSERT INTO copies (attachment_id, size_bytes) SELECT id, size_bytes FROM attachments; UPDATE copies"
      " SET store = 's3', key = 'copy/a', copied_at = now() WHERE attachment_id = '" +
      to_string(a.id) + "'"));
  w.job("delete_object", R"({"store": "s3", "key": "copy/a"})");
  CHECK(w.keys(StoreKind::kLocal) == (Keys{"a", "b"}));
  CHECK_EQ(CHECK_OK(w.audit.begin(StoreKind::kS3)), 1u);
  const auto copy = CHECK_OK(w.audit.next());
  CHECK(copy->owner == Owner::kCopy && copy->key == "copy/a" && copy->attachment_id == a.id);
  CHECK(copy->size_bytes == 7 && copy->sha256 == a.sha256);
  const Keys asked{"copy/a"};
  CHECK(CHECK_OK(w.audit.look(StoreKind::kS3, asked))[0]->owner == Owner::kCopy);
  CHECK(!CHECK_OK(w.audit.queue_deletions(StoreKind::kS3, asked))[0]);
  CHECK(CHECK_OK(w.audit.want_copy_again(StoreKind::kS3, *copy)));
  CHECK(!CHECK_OK(w.audit.want_copy_again(StoreKind::kS3, *copy)));
  CHECK_EQ(w.count("copies WHERE key IS NULL"), "2");
}

void a_variant_whose_original_is_gone_is_marked() {
  World w;
  const Attachment a = w.add("a");
  w.add_variant(a, "b");
  CHECK_OK(
      w.database.run_script("SET session_replication_role = replica; DELETE FROM attachments;"
                            "SET session_replication_role = DEFAULT"));
  CHECK_OK(w.audit.begin(StoreKind::kS3));
  const auto variant = CHECK_OK(w.audit.next());
  CHECK(variant->key == "b" && !variant->has_original);
}

void kept_files_of_other_nodes_are_left_out() {
  World w;
  w.add(".kept/node1/a", StoreKind::kLocal);
  w.add(".kept/node2/a", StoreKind::kLocal);
  CHECK(w.keys(StoreKind::kLocal) == Keys{".kept/node1/a"});
  CHECK_EQ(CHECK_OK(w.audit.begin(StoreKind::kLocal)), 1u);
}

void more_than_a_page_comes_whole_and_changes_do_not_move_it() {
  World w;
  CHECK_OK(w.database.run_script(
      "INSERT INTO attachments (id, filename, mime_type, size_bytes, sha256, store, key, created_at)"
      " SELECT gen_random_uuid(), 'x', 'x/y', 1, sha256(''), 's3', 'k' || (10000 + i), now()"
      " FROM generate_series(1, 2000) i"));
  CHECK_EQ(CHECK_OK(w.audit.begin(StoreKind::kS3)), 2000u);
  CHECK_EQ(CHECK_OK(w.audit.next())->key, "k10001");
  CHECK_OK(w.database.run_script("DELETE FROM attachments WHERE key > 'k10500'"));
  std::size_t left = 0;
  while (CHECK_OK(w.audit.next())) ++left;
  CHECK_EQ(left, 1999u);
  CHECK(!CHECK_OK(w.audit.next()));
}

void a_lost_connection_is_an_error_and_not_the_end() {
  World w;
  CHECK_OK(w.database.run_script(
      "INSERT INTO attachments (id, filename, mime_type, size_bytes, sha256, store, key, created_at)"
      " SELECT gen_random_uuid(), 'x', 'x/y', 1, sha256(''), 's3', 'k' || (10000 + i), now()"
      " FROM generate_series(1, 1500) i"));
  CHECK_OK(w.audit.begin(StoreKind::kS3));
  Database killer(options());
  CHECK_OK(killer.run_script("SELECT pg_terminate_backend(" + value(w.database, "pg_backend_pid()") + ", 5000)"));
  w.database.begin_request();
  Result<std::optional<KnownObject>> one = std::optional<KnownObject>();
  do one = w.audit.next();
  while (one && *one);
  CHECK(!one && one.error().code == Errc::kDatabase);
}

void a_look_prefers_rows_and_keeps_the_order() {
  World w;
  const Attachment a = w.add("a");
  w.job("delete_object", R"({"store": "s3", "key": "a"})");
  w.job("delete_object", R"({"store": "s3", "key": "c"})");
  const Keys asked{"c", "b", "a"};
  const auto found = CHECK_OK(w.audit.look(StoreKind::kS3, asked));
  CHECK_EQ(found.size(), 3u);
  CHECK(found[0] && found[0]->owner == Owner::kPromise);
  CHECK(!found[1]);
  CHECK(found[2] && found[2]->owner == Owner::kFile && found[2]->attachment_id == a.id);
  CHECK(!CHECK_OK(w.audit.look(StoreKind::kLocal, asked))[2]);
}

void only_what_nobody_knows_is_queued_and_only_once() {
  World w;
  w.add("row");
  const std::vector<ObjectKey> promised{CHECK_OK(ObjectKey::parse("ticket"))};
  CHECK_OK(w.rows.plan_deletions(StoreKind::kS3, promised, std::chrono::seconds(60)));
  const Keys asked{"row", "lost", "ticket"};
  CHECK(CHECK_OK(w.audit.queue_deletions(StoreKind::kS3, asked)) == (std::vector<bool>{false, true, false}));
  CHECK_EQ(value(w.database, "SELECT string_agg(kind || payload::text, ',') FROM jobs"),
           R"(delete_object{"key": "lost", "store": "s3"})");
  CHECK(CHECK_OK(w.audit.queue_deletions(StoreKind::kS3, asked)) == (std::vector<bool>{false, false, false}));
  CHECK_EQ(w.count("jobs"), "1");
}

void the_row_of_a_variant_goes_and_the_file_stays() {
  World w;
  const Attachment a = w.add("a");
  w.add_variant(a, "b");
  CHECK(!CHECK_OK(w.audit.remove_variant(StoreKind::kLocal, "b")));
  CHECK(CHECK_OK(w.audit.remove_variant(StoreKind::kS3, "b")));
  CHECK(!CHECK_OK(w.audit.remove_variant(StoreKind::kS3, "b")));
  CHECK_EQ(w.count("attachments"), "1");
  CHECK_EQ(w.count("variants"), "0");
}

// An object whose key stands in a table that the audit does not read is taken for a lost one, and --fix deletes it.
void every_table_that_holds_keys_is_known_to_the_audit() {
  World w;
  CHECK_EQ(value(w.database,
                 "SELECT string_agg(DISTINCT table_name::text, ' ' ORDER BY table_name::text)"
                 " FROM information_schema.columns WHERE table_schema = current_schema()"
                 " AND column_name IN ('key', 'payload')"),
           // cache_purges: of objects that are gone; rate_limits: of users and addresses
           "attachments cache_purges copies dead_jobs deletion_tickets direct_uploads jobs moved_sources rate_limits "
           "tombstone_objects variants");
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      CASE(rows_variants_and_promises_come_in_the_order_of_bytes),
      CASE(a_row_is_told_with_all_that_is_compared),
      CASE(a_copy_has_what_its_file_has_and_is_wanted_anew_when_it_is_lost),
      CASE(a_variant_whose_original_is_gone_is_marked),
      CASE(kept_files_of_other_nodes_are_left_out),
      CASE(more_than_a_page_comes_whole_and_changes_do_not_move_it),
      CASE(a_lost_connection_is_an_error_and_not_the_end),
      CASE(a_look_prefers_rows_and_keeps_the_order),
      CASE(only_what_nobody_knows_is_queued_and_only_once),
      CASE(the_row_of_a_variant_goes_and_the_file_stays),
      CASE(every_table_that_holds_keys_is_known_to_the_audit),
  };
  return db::run("audit_rows", tests);
}

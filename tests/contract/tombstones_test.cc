// tombstones_test.cc — the clean-up on a real PostgreSQL: what it takes, what it leaves, and what can be had back.
#include <thread>

#include "database.h"
#include "db/cleanup.h"
#include "db/jobs.h"
#include "db/tombstones.h"
#include "db/usage.h"
#include "db/variants.h"

namespace {

using namespace db;
using std::chrono::hours;

struct World : Emptied {
  PgCleanup cleanup{database, ""};
  PgTombstones tombstones{database};

  // An upload so many days old.
  Attachment old(int days, Attachment a = upload()) {
    a.created_at = system_now() - hours(24 * days);
    return put(rows, a);
  }
  Variant with_variant(const Attachment& a) {
    Variant v;
    v.id = {a.id, "thumb", VariantFormat::kWebp};
    v.mime_type = "image/webp";
    v.store = a.store;
    v.key = "ab/" + to_hex(new_id());
    v.width = v.height = 1;
    v.size_bytes = 2;
    v.created_at = system_now();
    const std::vector<ObjectKey> keys{CHECK_OK(ObjectKey::parse(v.key))};
    const auto tickets = CHECK_OK(rows.plan_deletions(v.store, keys, std::chrono::seconds(600)));
    CHECK_OK(PgVariants(database).commit(v, tickets.front()));
    return v;
  }
  void link(const Attachment& a, const std::string& message) {
    CHECK_OK(
        rows.link({.attachment_ids = {a.id}, .message_id = message, .dialog_id = {}, .uploader_id = a.uploader_id}));
  }
  std::vector<Uuid> bury(const std::vector<CleanupFile>& files, hours undo = hours(168),
                         TimePoint seen = system_now() + hours(1)) {
    std::vector<CleanupCandidate> candidates;
    for (const CleanupFile& f : files) candidates.push_back({f, "a test"});
    return CHECK_OK(cleanup.bury(candidates, seen, undo));
  }
  std::vector<CleanupFile> stale(int days = 7) { return CHECK_OK(cleanup.stale(hours(24 * days), {}, 100)).files; }
  std::string jobs(const std::string& where) { return count("jobs WHERE " + where); }
};

std::string row_of(World& w, const Attachment& a) {
  return value(
      w.database,
      "SELECT (SELECT to_jsonb(a) FROM attachments a WHERE id = '" + to_string(a.id) +
          "')::text || (SELECT coalesce(jsonb_agg(to_jsonb(v)), '[]') FROM variants v WHERE attachment_id = '" +
          to_string(a.id) + "')::text");
}

void stale_are_uploads_by_their_age_and_unlinked_ones_by_that() {
  World w;
  const auto eldest = w.old(9), old = w.old(8), linked = w.old(8), back = w.old(8);
  w.old(1);
  w.link(linked, "m1");
  w.link(back, "m2");
  CHECK_OK(
      w.database.run_script("UPDATE attachments SET status = 'uploaded', message_id = NULL WHERE message_id = 'm2'"));
  CHECK_EQ(w.count("attachments WHERE unlinked_at > now() - interval '1 min'"), "1");
  auto found = w.stale();
  CHECK_EQ(found.size(), 2u);
  CHECK(found[0].id == eldest.id && found[1].id == old.id && found[0].size_bytes == 3 && !found[0].message_id);
  const auto rest = CHECK_OK(w.cleanup.stale(hours(168), found[0], 100));
  CHECK(rest.files.size() == 1 && rest.files[0].id == old.id);
  CHECK_OK(w.database.run_script(
      "UPDATE attachments SET unlinked_at = now() - interval '8 d' WHERE unlinked_at IS NOT NULL"));
  CHECK_EQ(w.stale().size(), 3u);
  w.link(back, "m3");
  CHECK_EQ(w.count("attachments WHERE unlinked_at IS NOT NULL"), "0");
  CHECK_EQ(w.stale().size(), 2u);
}

void what_is_buried_is_gone_and_its_bytes_wait_for_the_job() {
  World w;
  const auto a = w.old(8);
  w.with_variant(a);
  CHECK_EQ(w.bury(w.stale()).size(), 1u);
  CHECK(!CHECK_OK(w.rows.find(a.id, std::nullopt)));
  CHECK_EQ(w.count("variants"), "0");
  CHECK_EQ(w.jobs("kind = 'delete_object'"), "0");
  CHECK_EQ(w.jobs("kind = 'purge_tombstone' AND payload->>'key' = '" + a.key + "' AND payload->>'id' = '" +
                  to_string(a.id) + "' AND run_at BETWEEN now() + interval '167 h' AND now() + interval '169 h'"),
           "1");
  const auto list = CHECK_OK(w.tombstones.list(10));
  CHECK(list.size() == 1 && list[0].id == a.id && list[0].filename == "a.png" && list[0].reason == "a test");
  CHECK(list[0].size_bytes == 3 && list[0].uploader_id == "u1" && !list[0].is_late);
  const auto objects = CHECK_OK(w.tombstones.objects_of(a.id));
  CHECK(objects.size() == 2 && objects[0].key == a.key);
}

void without_a_time_to_undo_it_is_a_deletion_like_any_other() {
  World w;
  const auto a = w.old(8);
  CHECK_EQ(w.bury(w.stale(), hours(0)).size(), 1u);
  CHECK_EQ(w.count("tombstones"), "0");
  CHECK_EQ(w.jobs("kind = 'delete_object' AND payload->>'key' = '" + a.key + "' AND run_at <= now()"), "1");
  CHECK(CHECK_OK(w.tombstones.restore(a.id)) == Restored::kAbsent);
}

void a_users_own_deletion_leaves_no_tombstone() {
  World w;
  const auto a = w.old(0);
  CHECK(CHECK_OK(w.rows.remove_unlinked(a.id)));
  CHECK_EQ(w.count("tombstones"), "0");
  CHECK_EQ(w.jobs("kind = 'delete_object'"), "1");
}

void a_restored_file_is_as_it_was_with_its_link_and_its_variants() {
  World w;
  const auto a = w.old(800);
  w.with_variant(a);
  w.link(a, "m1");
  CHECK_OK(w.database.run_script(
      "UPDATE attachments SET width = 7, placeholder = 'data:x', linked_at = linked_at - interval '3 d'"));
  const auto before = row_of(w, a);
  auto page = CHECK_OK(w.cleanup.next({}, 100));
  CHECK(page.files.size() == 1 && page.files[0].message_id == "m1" && page.files[0].linked_at);
  CHECK_EQ(w.bury(page.files).size(), 1u);
  CHECK_EQ(row_of(w, a), "null");
  CHECK(CHECK_OK(w.tombstones.restore(a.id)) == Restored::kDone);
  CHECK_EQ(row_of(w, a), before);
  CHECK_EQ(w.count("tombstones") + w.count("tombstone_objects") + w.count("jobs"), "000");
  CHECK(CHECK_OK(w.tombstones.restore(a.id)) == Restored::kAbsent);
  // and a deletion is a deletion again
  CHECK_EQ(CHECK_OK(w.rows.remove_message("m1")), 1u);
  CHECK_EQ(w.jobs("kind = 'delete_object'"), "2");
}

void a_restored_row_has_the_defaults_of_columns_that_came_since() {
  World w;
  const auto a = w.old(8);
  CHECK_EQ(w.bury(w.stale()).size(), 1u);
  CHECK_OK(w.database.run_script("ALTER TABLE attachments ADD COLUMN colour text NOT NULL DEFAULT 'blue'"));
  CHECK(CHECK_OK(w.tombstones.restore(a.id)) == Restored::kDone);
  CHECK_EQ(w.count("attachments WHERE colour = 'blue'"), "1");
  CHECK_OK(w.database.run_script("ALTER TABLE attachments DROP COLUMN colour"));
}

void once_its_purge_has_begun_it_is_too_late() {
  World w;
  const auto a = w.old(8), b = w.old(8);
  const auto v = w.with_variant(a);
  CHECK_EQ(w.bury(w.stale()).size(), 2u);
  const std::vector<Uuid> ids{a.id, new_id()};
  const auto objects = CHECK_OK(w.tombstones.begin_purge(ids));
  CHECK_EQ(objects.size(), 2u);
  CHECK(objects[0].tombstone == a.id && (objects[0].key == a.key || objects[0].key == v.key));
  CHECK(CHECK_OK(w.tombstones.restore(a.id)) == Restored::kLate);
  CHECK_OK(w.tombstones.forget(std::vector<Uuid>{a.id, b.id}));  // b's has not begun
  CHECK(CHECK_OK(w.tombstones.restore(a.id)) == Restored::kAbsent);
  CHECK(CHECK_OK(w.tombstones.restore(b.id)) == Restored::kDone);
}

void bytes_that_a_living_row_has_are_not_purged() {
  World w;
  const auto a = w.old(8);
  CHECK_EQ(w.bury(w.stale()).size(), 1u);
  auto adopted = upload();
  adopted.key = a.key;
  put(w.rows, adopted);
  CHECK(CHECK_OK(w.tombstones.begin_purge(std::vector<Uuid>{a.id})).empty());
}

void a_file_that_came_back_otherwise_is_not_restored_over_it() {
  World w;
  const auto a = w.old(8);
  CHECK_EQ(w.bury(w.stale()).size(), 1u);
  auto adopted = upload();
  adopted.key = a.key;
  put(w.rows, adopted);
  CHECK_ERR(w.tombstones.restore(a.id), Errc::kConflict);
  CHECK_EQ(w.count("tombstones"), "1");
}

void what_was_changed_since_it_was_seen_stays() {
  World w;
  const auto linked = w.old(8), unlinked = w.old(8), quarantined = w.old(8), gone = w.old(8);
  const auto seen = w.stale();
  CHECK_EQ(seen.size(), 4u);
  w.link(linked, "m1");
  w.link(unlinked, "m2");
  CHECK_OK(
      w.database.run_script("UPDATE attachments SET status = 'uploaded', message_id = NULL WHERE message_id = 'm2'"));
  CHECK(CHECK_OK(w.rows.quarantine(quarantined.id)));
  CHECK(CHECK_OK(w.rows.remove_unlinked(gone.id)));
  CHECK(w.bury(seen, hours(168), system_now() - hours(1)).empty());
  CHECK_EQ(w.count("attachments"), "3");
}

void a_link_under_way_is_waited_for_and_wins() {
  World w;
  const auto a = w.old(8);
  const auto seen = w.stale();
  Database other(options());
  PgRows others(other);
  CHECK_OK(other.begin());
  CHECK_OK(others.link({.attachment_ids = {a.id}, .message_id = "m1", .dialog_id = {}, .uploader_id = "u1"}));
  std::vector<Uuid> buried{a.id};
  std::thread burying([&] { buried = w.bury(seen); });
  Database third(options());
  for (int i = 0; i < 500 && value(third, "SELECT count(*) FROM pg_locks WHERE NOT granted") == "0"; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  const auto committed = other.commit();
  burying.join();
  CHECK_OK(committed);
  CHECK(buried.empty());
  CHECK(CHECK_OK(w.rows.find(a.id, std::nullopt))->attachment.message_id == "m1");
}

void a_buried_file_takes_no_quota_and_a_restored_one_does() {
  World w;
  CHECK_OK(PgUsage(w.database).begin());
  const auto used = [&] {
    return value(w.database, "SELECT bytes || '/' || files FROM cloakroom_usage_of_user('q1')");
  };
  const auto a = w.old(8, upload("q1"));
  CHECK_EQ(used(), "3/1");
  CHECK_EQ(w.bury(w.stale()).size(), 1u);
  CHECK_EQ(used(), "0/0");
  CHECK(CHECK_OK(w.tombstones.restore(a.id)) == Restored::kDone);
  CHECK_EQ(used(), "3/1");
  CHECK_OK(w.database.run_script("SELECT cloakroom_stop_counting()"));
}

void copies_in_nginx_caches_are_purged_as_at_a_deletion() {
  World w;
  auto a = upload();
  a.store = StoreKind::kS3;
  a = w.old(8, a);
  CHECK_OK(w.database.run_script("TRUNCATE cache_purges"));
  CHECK_EQ(w.bury(w.stale()).size(), 1u);
  CHECK_EQ(w.count("cache_purges WHERE key = '" + a.key + "'"), "1");
}

void a_kept_file_that_is_restored_is_moved_again() {
  World w;
  auto a = upload();
  a.key = ".kept/node1/" + to_hex(a.id);
  w.old(8, a);
  CHECK_EQ(w.bury(w.stale()).size(), 1u);
  PgJobQueue elsewhere(w.database, "r1", ".kept/node2/");
  CHECK_OK(w.database.run_script("UPDATE jobs SET run_at = now()"));
  CHECK(CHECK_OK(elsewhere.claim(10, kAnyPriority)).empty());  // the bytes are on the disk of node1
  CHECK(CHECK_OK(w.tombstones.restore(a.id)) == Restored::kDone);
  CHECK_EQ(w.jobs("kind = 'move_object' AND priority = -2 AND payload->>'key' = '" + a.key + "'"), "1");
}

void a_row_of_the_application_that_hangs_on_a_file_keeps_it() {
  World w;
  const auto a = w.old(8);
  w.old(8);
  CHECK_OK(
      w.database.run_script("CREATE TABLE app_uses (id uuid REFERENCES attachments (id));"
                            "INSERT INTO app_uses VALUES ('" +
                            to_string(a.id) + "')"));
  std::vector<CleanupCandidate> all;
  for (const CleanupFile& f : w.stale()) all.push_back({f, "a test"});
  const auto refused = w.cleanup.bury(all, system_now() + hours(1), hours(1));
  CHECK(!refused && !refused.error().retryable);
  CHECK_EQ(w.count("attachments") + w.count("tombstones") + w.count("jobs"), "200");
  CleanupTotals totals;
  {
    Cleanup walk(w.cleanup, {.stale = hours(168), .undo = hours(1)}, {});
    CHECK(CHECK_OK(walk.run()));
    totals = walk.totals();
  }
  CHECK_OK(w.database.run_script("DROP TABLE app_uses"));
  CHECK(totals.failed == 1 && totals.removed == 1);
}

void the_owner_is_asked_in_a_transaction_that_cannot_write() {
  World w;
  CHECK_OK(
      w.database.run_script("CREATE TABLE app_messages (id int8 PRIMARY KEY, text text);"
                            "INSERT INTO app_messages SELECT n FROM generate_series(1, 5) n"));
  const std::vector<std::string> ids{"1", "5", "6", "nonsense"};
  PgCleanup asking(w.database,
                   "SELECT id, text FROM app_messages WHERE id::text = ANY($1::text[]) -- those that are there");
  const auto living = CHECK_OK(asking.living(ids));
  CHECK((living == std::set<std::string>{"1", "5"}));
  for (const char* bad : {"DELETE FROM app_messages WHERE id::text = ANY($1::text[]) RETURNING id",
                          "SELECT id FROM app_messages WHERE id::text = ANY($1::text[]) FOR UPDATE",
                          "SELECT id FROM there_is_none WHERE id = ANY($1::text[])"}) {
    const auto refused = PgCleanup(w.database, bad).living(ids);
    if (refused) CHECK_EQ(std::string("refused"), bad);
    CHECK(!refused.error().retryable || refused.error().code == Errc::kDatabase);
  }
  CHECK_EQ(w.count("app_messages"), "5");  // and the connection is as good as before
  CHECK_EQ(value(w.database, "SELECT current_setting('transaction_read_only')"), "off");
  CHECK_OK(w.database.run_script("DROP TABLE app_messages"));
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      CASE(stale_are_uploads_by_their_age_and_unlinked_ones_by_that),
      CASE(what_is_buried_is_gone_and_its_bytes_wait_for_the_job),
      CASE(without_a_time_to_undo_it_is_a_deletion_like_any_other),
      CASE(a_users_own_deletion_leaves_no_tombstone),
      CASE(a_restored_file_is_as_it_was_with_its_link_and_its_variants),
      CASE(a_restored_row_has_the_defaults_of_columns_that_came_since),
      CASE(once_its_purge_has_begun_it_is_too_late),
      CASE(bytes_that_a_living_row_has_are_not_purged),
      CASE(a_file_that_came_back_otherwise_is_not_restored_over_it),
      CASE(what_was_changed_since_it_was_seen_stays),
      CASE(a_link_under_way_is_waited_for_and_wins),
      CASE(a_buried_file_takes_no_quota_and_a_restored_one_does),
      CASE(copies_in_nginx_caches_are_purged_as_at_a_deletion),
      CASE(a_kept_file_that_is_restored_is_moved_again),
      CASE(a_row_of_the_application_that_hangs_on_a_file_keeps_it),
      CASE(the_owner_is_asked_in_a_transaction_that_cannot_write),
  };
  return db::run("tombstones", tests);
}

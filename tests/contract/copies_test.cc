// copies_test.cc — the port CopyRows and the walk of a scrub on a real PostgreSQL; copies go, and come back, with their
// files by whatever way.
#include "db/copies.h"

#include "database.h"
#include "db/cleanup.h"
#include "db/scrubs.h"
#include "db/tombstones.h"

namespace {

using namespace db;
using std::chrono::hours;
using std::chrono::seconds;

struct World : Emptied {
  PgRows copying{database, {.wants_copies = true}};
  PgCopies copies{database};
  World() { CHECK_OK(database.run_script("TRUNCATE cache_purges, scrubs, copies; DELETE FROM jobs")); }

  Attachment file(StoreKind store = StoreKind::kLocal) {
    Attachment a = upload();
    a.store = store;
    return put(copying, a);
  }
  DeletionTicket ticket(const std::string& key) {
    const std::vector<ObjectKey> keys{CHECK_OK(ObjectKey::parse(key))};
    return CHECK_OK(rows.plan_deletions(StoreKind::kS3, keys, seconds(600))).front();
  }
  std::string copy(const Attachment& a) {
    std::string key = "copy/" + to_hex(new_id());
    CHECK_OK(copies.commit_copy(a.id, {StoreKind::kS3, key}, ticket(key)));
    return key;
  }
  Attachment copied() {
    const Attachment a = file();
    copy(a);
    CHECK_OK(database.run_script("DELETE FROM jobs"));
    return a;
  }
  std::string key_of(const Attachment& a) {
    return value(database, "SELECT key FROM copies WHERE attachment_id = '" + to_string(a.id) + "'");
  }
  std::string jobs(const std::string& kind, const std::string& more = "true") {
    return count("jobs WHERE kind = '" + kind + "' AND " + more);
  }
};

void the_wish_and_its_job_come_with_the_row_and_only_where_they_are_wanted() {
  World w;
  const Attachment a = w.file();
  CHECK_EQ(w.jobs("copy_object", "priority = -2 AND payload->>'id' = '" + to_string(a.id) + "'"), "1");
  const auto found = CHECK_OK(w.copies.find(a.id));
  CHECK(found && found->is_wanted && !found->place && found->file.key == a.key);
  w.file(StoreKind::kS3);
  put(w.rows, upload());  // STORAGE=local
  CHECK_EQ(w.count("copies"), "1");
  CHECK_EQ(w.jobs("copy_object"), "1");
  CHECK(!CHECK_OK(w.copies.find(new_id())));
}

void a_copy_takes_its_ticket_and_is_made_once() {
  World w;
  const Attachment a = w.file();
  const DeletionTicket first = w.ticket("k/1"), second = w.ticket("k/2");
  CHECK_OK(w.copies.commit_copy(a.id, {StoreKind::kS3, "k/1"}, first));
  CHECK_ERR(w.copies.commit_copy(a.id, {StoreKind::kS3, "k/2"}, second), Errc::kConflict);
  CHECK_EQ(w.count("deletion_tickets WHERE key = 'k/2'"), "1");
  CHECK_EQ(w.count("deletion_tickets"), "1");
  const auto found = CHECK_OK(w.copies.find(a.id));
  CHECK(found->place && found->place->store == StoreKind::kS3 && found->place->key == "k/1");
  // a ticket that is gone: a job deletes the object
  const Attachment b = w.file();
  CHECK_ERR(w.copies.commit_copy(b.id, {StoreKind::kS3, "k/1b"}, first), Errc::kConflict);
  CHECK(!CHECK_OK(w.copies.find(b.id))->place);
}

void copies_go_with_the_file_by_whatever_way_and_their_objects_with_them() {
  World w;
  for (const std::string way : {"DELETE FROM attachments", "TRUNCATE attachments CASCADE", "DELETE FROM copies",
                                "TRUNCATE copies", "UPDATE attachments SET store = 's3', key = 'moved/' || id"}) {
    clear(w.database);
    CHECK_OK(w.database.run_script("TRUNCATE cache_purges"));
    const Attachment a = w.file(), waits = w.file();
    const std::string key = w.copy(a);
    CHECK_OK(w.database.run_script("DELETE FROM jobs; " + way));
    CHECK_EQ(w.count("copies"), "0");
    CHECK_EQ(w.jobs("delete_object", "payload->>'store' = 's3' AND payload->>'key' = '" + key + "'"), "1");
    CHECK_EQ(w.jobs("delete_object", "payload->>'key' IS NULL"), "0");
    CHECK_EQ(w.count("cache_purges WHERE key = '" + key + "' AND size_bytes = 3"), "1");
    CHECK_EQ(w.count("cache_purges"), "1");
  }
}

void a_file_in_quarantine_takes_its_copy_out_of_the_caches() {
  World w;
  const Attachment a = w.copied();
  CHECK(CHECK_OK(w.rows.quarantine(a.id)));
  CHECK_EQ(value(w.database, "SELECT string_agg(key, ' ') FROM cache_purges"), w.key_of(a));
  CHECK_EQ(w.count("copies"), "1");
}

void of_many_readers_one_has_it_repaired() {
  World w;
  const Attachment a = w.copied(), waits = w.file();
  CHECK_OK(w.database.run_script("DELETE FROM jobs"));
  for (int i = 0; i < 3; ++i) CHECK_EQ(CHECK_OK(w.copies.ask_repair(a.id))->key, w.key_of(a));
  CHECK_EQ(w.jobs("repair_object", "priority = -1 AND payload->>'id' = '" + to_string(a.id) + "'"), "1");
  CHECK(!CHECK_OK(w.copies.ask_repair(waits.id)));
  CHECK(!CHECK_OK(w.copies.ask_repair(new_id())));
  CHECK_EQ(w.jobs("repair_object"), "1");
  CHECK_OK(w.copies.note_right(a.id));
  CHECK_OK(w.copies.ask_repair(a.id));
  CHECK_EQ(w.jobs("repair_object"), "2");
}

void nobody_deletes_a_file_while_it_is_put_right() {
  World w;
  const Attachment a = w.copied();
  const ObjectKey local = CHECK_OK(ObjectKey::parse(a.key)), other = CHECK_OK(ObjectKey::parse("ab/other"));
  CHECK_OK(w.copies.ask_repair(a.id));
  Database second(options());
  CHECK_OK(second.run_script("SET lock_timeout = 200"));
  Params id;
  id.uuid(a.id);
  const bool done = CHECK_OK(w.copies.put_right(a.id, local, [&]() -> Status {
    CHECK_ERR(second.run_once("DELETE FROM attachments WHERE id = $1::uuid", id), Errc::kDatabase);
    CHECK_ERR(second.run_once("UPDATE attachments SET store = 's3', key = 'x' WHERE id = $1::uuid", id),
              Errc::kDatabase);
    CHECK_OK(second.run_once("UPDATE attachments SET status = 'quarantined' WHERE id = $1::uuid", id));
    return Ok{};
  }));
  CHECK(done);
  CHECK_EQ(w.count("copies WHERE repair_asked_at IS NULL AND verified_at IS NOT NULL"), "1");
  bool was_run = false;
  const auto act = [&]() -> Status {
    was_run = true;
    return Ok{};
  };
  CHECK(!CHECK_OK(w.copies.put_right(a.id, other, act)));
  CHECK(!CHECK_OK(w.copies.put_right(new_id(), local, act)));
  CHECK(!was_run);
  CHECK_ERR(w.copies.put_right(a.id, local, [] { return Status(Error{Errc::kDiskFull, "full"}); }), Errc::kDiskFull);
  CHECK_OK(second.run_once("DELETE FROM attachments WHERE id = $1::uuid", id));  // no lock is left
}

void a_bad_copy_is_wanted_anew_and_what_lies_there_goes() {
  World w;
  const Attachment a = w.copied();
  const std::string key = w.key_of(a);
  CHECK(!CHECK_OK(w.copies.want_again(a.id, {StoreKind::kS3, "another"})));
  CHECK(CHECK_OK(w.copies.want_again(a.id, {StoreKind::kS3, key})));
  CHECK(!CHECK_OK(w.copies.want_again(a.id, {StoreKind::kS3, key})));
  CHECK(CHECK_OK(w.copies.find(a.id))->is_wanted);
  CHECK_EQ(w.key_of(a), "null");
  CHECK_EQ(w.jobs("delete_object", "payload->>'key' = '" + key + "' AND priority = 0"), "1");
  CHECK_EQ(w.jobs("copy_object", "payload->>'id' = '" + to_string(a.id) + "'"), "1");
  CHECK_EQ(w.count("jobs"), "2");
  CHECK_EQ(w.count("cache_purges WHERE key = '" + key + "'"), "1");
}

void the_gap_counts_what_is_wanted_and_what_was_never_asked_for() {
  World w;
  w.copied();
  w.file();
  const Attachment old = w.file();
  put(w.rows, upload());
  Attachment aside = upload();
  aside.key = ".kept/node1/x";
  put(w.rows, aside);
  w.file(StoreKind::kS3);
  CHECK_OK(w.database.run_script("UPDATE copies SET wanted_at = now() - interval '90 s' WHERE attachment_id = '" +
                                 to_string(old.id) + "'"));
  const CopyGap gap = CHECK_OK(w.copies.gap()), never = CHECK_OK(w.copies.uncounted());
  CHECK_EQ(gap.files, 2u);
  CHECK_EQ(gap.bytes, 6u);
  CHECK(gap.oldest >= seconds(90) && gap.oldest < seconds(120));
  CHECK_EQ(never.files, 1u);
  CHECK_EQ(never.bytes, 3u);
  CHECK_OK(w.database.run_script("TRUNCATE copies"));
  CHECK(CHECK_OK(w.copies.gap()).files == 0 && CHECK_OK(w.copies.gap()).oldest == seconds(0));
}

void pages_want_what_has_neither_copy_nor_job_once() {
  World w;
  w.copied();
  const Attachment before = put(w.rows, upload()), waits = w.file(), forgotten = w.file(), dead = w.file();
  w.file(StoreKind::kS3);
  CHECK_OK(w.database.run_script("DELETE FROM jobs WHERE payload->>'id' = '" + to_string(forgotten.id) +
                                 "'; WITH gone AS (DELETE FROM jobs WHERE payload->>'id' = '" + to_string(dead.id) +
                                 "' RETURNING *) INSERT INTO dead_jobs SELECT id, kind, payload, priority, 1, 1, 'x',"
                                 " now() FROM gone"));
  const std::string jobs_before = w.count("jobs");
  const CopyPage rehearsed = CHECK_OK(w.copies.want_page(Uuid{}, 100, true));
  CHECK(rehearsed.looked_at == 5 && rehearsed.queued == 2 && rehearsed.queued_bytes == 6);
  CHECK_EQ(w.count("jobs"), jobs_before);
  // in pages of two
  std::uint64_t queued = 0, looked_at = 0;
  Uuid after{};
  while (true) {
    const CopyPage page = CHECK_OK(w.copies.want_page(after, 2, false));
    if (page.looked_at == 0) break;
    after = page.last;
    queued += page.queued;
    looked_at += page.looked_at;
  }
  CHECK(queued == 2 && looked_at == 5);
  CHECK(CHECK_OK(w.copies.find(before.id))->is_wanted);
  CHECK_EQ(w.jobs("copy_object", "payload->>'id' IN ('" + to_string(before.id) + "', '" + to_string(forgotten.id) +
                                     "', '" + to_string(waits.id) + "')"),
           "3");
  CHECK_EQ(CHECK_OK(w.copies.want_page(Uuid{}, 100, false)).queued, 0u);
}

void a_tombstone_keeps_the_copy_and_brings_it_back() {
  World w;
  PgCleanup cleanup(w.database, "");
  PgTombstones tombstones(w.database);
  const Attachment a = w.copied(), waits = w.file();
  const std::string key = w.key_of(a);
  CHECK_OK(w.copies.ask_repair(a.id));
  CHECK_OK(w.database.run_script("DELETE FROM jobs"));
  std::vector<CleanupCandidate> candidates(2);
  candidates[0].file.id = a.id;
  candidates[1].file.id = waits.id;
  CHECK_EQ(CHECK_OK(cleanup.bury(candidates, system_now() + hours(1), hours(24))).size(), 2u);
  CHECK_EQ(w.count("copies"), "0");
  CHECK_EQ(w.jobs("delete_object"), "0");
  CHECK_EQ(w.count("tombstone_objects WHERE store = 's3' AND key = '" + key + "'"), "1");
  CHECK_EQ(w.count("tombstone_objects"), "3");
  CHECK(CHECK_OK(tombstones.restore(a.id)) == Restored::kDone);
  CHECK(CHECK_OK(tombstones.restore(waits.id)) == Restored::kDone);
  CHECK_EQ(w.key_of(a), key);
  CHECK(!CHECK_OK(w.copies.find(waits.id))->place && CHECK_OK(w.copies.find(waits.id))->is_wanted);
  CHECK_EQ(w.jobs("copy_object"), "1");
  CHECK_EQ(w.count("copies WHERE repair_asked_at IS NOT NULL"), "0");
  // when its time comes the copy is among what is removed
  CHECK_OK(cleanup.bury(std::span(candidates).first(1), system_now() + hours(1), hours(24)));
  const std::vector<Uuid> ids{a.id};
  CHECK_EQ(CHECK_OK(tombstones.begin_purge(ids)).size(), 2u);
}

void a_walk_goes_on_where_it_stopped_and_begins_anew_after_its_end() {
  World w;
  PgScrubs walk(w.database);
  const Attachment a = w.copied(), b = w.file(), stored = w.file(StoreKind::kS3);
  CHECK_EQ(CHECK_OK(walk.count_from(Uuid{})), 3u);
  const auto all = CHECK_OK(walk.next(Uuid{}, 10));
  CHECK(all.size() == 3 && all[0].file.id == a.id && all[2].file.id == stored.id);
  CHECK(all[0].place && all[1].is_wanted && !all[1].place && !all[2].is_wanted);
  ScrubState state = CHECK_OK(walk.begin());
  CHECK(!state.is_resumed && state.totals.files == 0);
  CHECK_OK(w.database.run_script("UPDATE copies SET verified_at = NULL"));
  const std::vector<Uuid> right{a.id};
  CHECK_OK(walk.advance(a.id, {.files = 1, .bytes = 6, .repaired = 2, .queued = 3, .broken = 4, .skipped = 5}, right,
                        false));
  CHECK_EQ(value(w.database, "SELECT attachment_id FROM copies WHERE verified_at IS NOT NULL"), to_string(a.id));
  state = CHECK_OK(walk.begin());
  CHECK(state.is_resumed && state.after == a.id);
  CHECK(state.totals.files == 1 && state.totals.bytes == 6 && state.totals.repaired == 2 && state.totals.queued == 3);
  CHECK(state.totals.broken == 4 && state.totals.skipped == 5);
  CHECK_EQ(CHECK_OK(walk.next(state.after, 10)).size(), 2u);
  CHECK_OK(walk.advance(stored.id, state.totals, {}, true));
  state = CHECK_OK(walk.begin());
  CHECK(!state.is_resumed && state.after == Uuid{} && state.totals.files == 0);
}

void what_is_not_copied_is_found_by_its_index() {
  World w;
  CHECK_OK(w.database.run_script(
      "INSERT INTO attachments (id, filename, mime_type, size_bytes, sha256, store, key, created_at)"
      " SELECT gen_random_uuid(), 'x', 'x/y', 1, sha256(''), 'local', 'k' || i, now() FROM generate_series(1, 5000) i;"
      "INSERT INTO copies (attachment_id, size_bytes, store, key, copied_at)"
      " SELECT id, 1, 's3', key, now() FROM attachments; ANALYZE copies; ANALYZE attachments"));
  const auto plan = CHECK_OK(w.database.run_once(
      "EXPLAIN SELECT count(*), sum(size_bytes), min(wanted_at) FROM copies WHERE key IS NULL", Params{}));
  std::string text;
  for (int row = 0; row < plan.rows(); ++row) text += std::string(plan.text(row, 0)) + "\n";
  CHECK(text.find("copies_wanted") != std::string::npos);
  CHECK_EQ(CHECK_OK(w.copies.gap()).files, 0u);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      CASE(the_wish_and_its_job_come_with_the_row_and_only_where_they_are_wanted),
      CASE(a_copy_takes_its_ticket_and_is_made_once),
      CASE(copies_go_with_the_file_by_whatever_way_and_their_objects_with_them),
      CASE(a_file_in_quarantine_takes_its_copy_out_of_the_caches),
      CASE(of_many_readers_one_has_it_repaired),
      CASE(nobody_deletes_a_file_while_it_is_put_right),
      CASE(a_bad_copy_is_wanted_anew_and_what_lies_there_goes),
      CASE(the_gap_counts_what_is_wanted_and_what_was_never_asked_for),
      CASE(pages_want_what_has_neither_copy_nor_job_once),
      CASE(a_tombstone_keeps_the_copy_and_brings_it_back),
      CASE(a_walk_goes_on_where_it_stopped_and_begins_anew_after_its_end),
      CASE(what_is_not_copied_is_found_by_its_index),
  };
  return db::run("copies", tests);
}

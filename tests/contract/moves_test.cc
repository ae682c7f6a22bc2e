// moves_test.cc — a move's rows on a real PostgreSQL: shares, plans beside runners, the switch, what is left and when
// it goes.
#include "db/moves.h"

#include <set>
#include <thread>

#include "database.h"
#include "db/audit.h"
#include "db/job_overview.h"
#include "db/jobs.h"
#include "db/variants.h"

namespace {

using namespace db;
using std::chrono::seconds;

struct World : Emptied {
  PgMoves moves{database};
  PgJobQueue queue{database, "runner"};

  MovableObject file(const std::string& key = "") {
    Attachment a = upload();
    if (!key.empty()) a.key = key;
    put(rows, a);
    return {a};
  }
  MovableObject variant_of(const MovableObject& original) {
    Variant v;
    v.id = {original.file.id, "thumb", VariantFormat::kWebp};
    v.mime_type = "image/webp";
    v.key = "cd/" + to_hex(new_id());
    v.size_bytes = 7;
    v.created_at = system_now();
    const ObjectKey key = CHECK_OK(ObjectKey::parse(v.key));
    const auto tickets = CHECK_OK(rows.plan_deletions(StoreKind::kLocal, std::span(&key, 1), seconds(60)));
    CHECK_OK(PgVariants(database).commit(v, tickets.front()));
    return {as_file(v, original.file), v.id};
  }
  std::vector<PlannedMove> plan(std::span<const MovableObject> objects, StoreKind to = StoreKind::kS3) {
    std::vector<MoveNames> names;
    for (const MovableObject& one : objects) {
      names.push_back({CHECK_OK(ObjectKey::parse(one.file.key)), fresh_key()});
    }
    return CHECK_OK(moves.plan(to, names, seconds(3600)));
  }
  PlannedMove plan(const MovableObject& one, StoreKind to = StoreKind::kS3) { return plan(std::span(&one, 1), to)[0]; }
  ObjectKey fresh_key() { return CHECK_OK(ObjectKey::parse("fresh/" + to_hex(new_id()))); }
  Status switch_to(const MovableObject& object, const PlannedMove& plan, StoreKind to = StoreKind::kS3) {
    return moves.switch_object(
        {.object = object, .to = to, .to_key = plan.to.str(), .ticket = plan.ticket, .grace = seconds(100)});
  }
  // What the row is afterwards.
  MovableObject move(MovableObject object, StoreKind to = StoreKind::kS3) {
    const PlannedMove planned = plan(object, to);
    CHECK_OK(switch_to(object, planned, to));
    object.file.store = to;
    object.file.key = planned.to.str();
    return object;
  }
  std::string place_of(const MovableObject& object) {
    const std::string id = to_string(object.file.id);
    return value(database, object.variant
                               ? "SELECT store || ':' || key FROM variants WHERE attachment_id = '" + id + "'"
                               : "SELECT store || ':' || key FROM attachments WHERE id = '" + id + "'");
  }
  std::string jobs_for(const std::string& store, const std::string& key) {
    return count("jobs WHERE kind = 'delete_object' AND payload->>'store' = '" + store + "' AND payload->>'key' = '" +
                 key + "'");
  }
  void make_all_due() { CHECK_OK(database.run_script("UPDATE moved_sources SET remove_after = now()")); }
};

std::vector<std::string> keys_of(World& w, MoveShare share) {
  std::vector<std::string> keys;
  std::string after;
  while (true) {
    const auto page = CHECK_OK(w.moves.next(share, after, 3));
    for (const auto& one : page) keys.push_back(one.file.key);
    if (page.size() < 3) return keys;
    after = keys.back();
  }
}

void shares_have_nothing_in_common_and_miss_nothing() {
  World w;
  std::set<std::string> wanted;
  for (int i = 0; i < 20; ++i) wanted.insert(w.file().file.key);
  w.file(".kept/n1/aa/1");
  w.variant_of(w.file("zz/original"));
  wanted.insert("zz/original");
  CHECK_OK(w.database.run_script(
      "INSERT INTO attachments (id, filename, mime_type, external_url, created_at) VALUES (gen_random_uuid(), 'a',"
      " 'image/png', 'https://example.com/a', now())"));
  std::set<std::string> found;
  for (unsigned part = 0; part < 3; ++part) {
    for (const auto& key : keys_of(w, {.part = part, .parts = 3})) CHECK(found.insert(key).second);
  }
  CHECK(found == wanted);
  CHECK(keys_of(w, {.store = StoreKind::kS3}).empty());
  CHECK_EQ(keys_of(w, {.rows = MovableRows::kVariants}).size(), 1u);
  const auto counts = CHECK_OK(w.moves.count(StoreKind::kLocal));
  CHECK(counts.files == 21 && counts.bytes == 63 && counts.variants == 1 && counts.variant_bytes == 7);
}

void a_switch_changes_the_row_and_leaves_the_source_for_its_readers() {
  World w;
  const MovableObject original = w.file();
  for (const MovableObject& object : {original, w.variant_of(original)}) {
    const PlannedMove planned = w.plan(object);
    CHECK(planned.to.str() == object.file.key && !planned.may_be_there);
    CHECK_EQ(w.count("deletion_tickets WHERE store = 's3' AND key = '" + object.file.key +
                     "' AND due_at BETWEEN now() + interval '59 min' AND now() + interval '1 h'"),
             "1");
    CHECK(CHECK_OK(w.moves.is_unchanged(object)));
    CHECK_OK(w.switch_to(object, planned));
    CHECK(!CHECK_OK(w.moves.is_unchanged(object)));
    CHECK_EQ(w.place_of(object), "s3:" + object.file.key);
    CHECK_EQ(w.count("deletion_tickets"), "0");
    CHECK_EQ(w.count("moved_sources WHERE store = 'local' AND key = '" + object.file.key +
                     "' AND remove_after BETWEEN now() + interval '98 s' AND now() + interval '100 s'"),
             "1");
  }
  CHECK_EQ(w.count("jobs"), "0");
  const auto waiting = CHECK_OK(w.moves.waiting());
  CHECK(waiting.size() == 1 && waiting[0].store == StoreKind::kLocal && waiting[0].objects == 2);
  CHECK_EQ(waiting[0].bytes, 10u);
}

void a_switch_of_a_row_that_changed_or_without_its_ticket_changes_nothing() {
  World w;
  const MovableObject gone = w.file(), other = w.file(), late = w.file();
  const PlannedMove of_gone = w.plan(gone), first = w.plan(other), of_late = w.plan(late);
  CHECK(CHECK_OK(w.rows.remove_unlinked(gone.file.id)));
  CHECK_ERR(w.switch_to(gone, of_gone), Errc::kConflict);
  CHECK_EQ(w.count("deletion_tickets WHERE key = '" + gone.file.key + "'"), "1");  // the copy goes
  CHECK_OK(w.moves.give_up(of_gone.ticket));
  CHECK_EQ(w.count("deletion_tickets WHERE key = '" + gone.file.key + "' AND due_at <= now()"), "1");

  const PlannedMove second = w.plan(other);  // another run, which takes the first one's ticket
  CHECK(second.may_be_there);
  CHECK_ERR(w.switch_to(other, first), Errc::kConflict);
  CHECK_OK(w.switch_to(other, second));
  CHECK_EQ(w.count("moved_sources"), "1");

  CHECK_OK(w.database.run_script("DELETE FROM deletion_tickets"));  // it was due: the copy is gone
  CHECK_ERR(w.switch_to(late, of_late), Errc::kConflict);
  CHECK_EQ(w.place_of(late), "local:" + late.file.key);
}

void the_way_back_takes_the_source_over() {
  World w;
  const MovableObject object = w.file();
  const std::string key = object.file.key;
  const MovableObject moved = w.move(object);
  CHECK_OK(w.database.run_script("UPDATE moved_sources SET remove_after = now() + interval '9 days'"));
  const PlannedMove back = w.plan(moved, StoreKind::kLocal);
  CHECK(back.to.str() == key && back.may_be_there);
  CHECK_EQ(w.count("moved_sources"), "0");
  // not sooner than readers were promised
  CHECK_EQ(w.count("deletion_tickets WHERE store = 'local' AND due_at > now() + interval '8 days'"), "1");
  CHECK_OK(w.switch_to(moved, back, StoreKind::kLocal));
  CHECK_EQ(w.place_of(object), "local:" + key);
  CHECK_EQ(w.count("deletion_tickets"), "0");
  CHECK_EQ(w.count("moved_sources WHERE store = 's3' AND key = '" + key + "'"), "1");
  CHECK_EQ(w.count("jobs"), "0");
}

void a_deletion_that_was_not_begun_is_called_off() {
  World w;
  const MovableObject moved = w.move(w.file());
  w.make_all_due();
  CHECK_OK(w.queue.collect_tickets());
  CHECK_EQ(w.jobs_for("local", moved.file.key), "1");
  const PlannedMove back = w.plan(moved, StoreKind::kLocal);
  CHECK(back.to.str() == moved.file.key && back.may_be_there);
  CHECK_EQ(w.count("jobs"), "0");
  CHECK_EQ(w.count("deletion_tickets"), "1");
}

void where_a_deletion_may_be_under_way_the_copy_gets_a_fresh_key() {
  const auto moved_and_collected = [](World& w) {
    const MovableObject moved = w.move(w.file());
    w.make_all_due();
    return moved;
  };
  const auto gets_a_fresh_key = [](World& w, const MovableObject& moved) {
    const PlannedMove back = w.plan(moved, StoreKind::kLocal);
    return back.to.str().starts_with("fresh/") && !back.may_be_there;
  };
  {
    World w;  // a runner has it in hand
    const auto moved = moved_and_collected(w);
    const auto jobs = CHECK_OK(w.queue.claim(10, kAnyPriority));
    CHECK_EQ(jobs.size(), 1u);
    CHECK(gets_a_fresh_key(w, moved));
    CHECK_OK(w.queue.fail(jobs[0].id, std::chrono::hours(1), "a time-out", 0));  // its request may still be carried out
    CHECK(gets_a_fresh_key(w, moved));
    CHECK_OK(w.database.run_script("UPDATE jobs SET run_at = now()"));
    CHECK_EQ(CHECK_OK(w.queue.claim(10, kAnyPriority)).size(), 1u);
    CHECK_OK(w.queue.give_up(jobs[0].id, "enough", 1));  // a sysadmin may have it tried again
    CHECK(gets_a_fresh_key(w, moved));
    CHECK_EQ(CHECK_OK(PgJobOverview(w.database).retry(jobs[0].id)), 1u);  // and did
    CHECK(gets_a_fresh_key(w, moved));
    CHECK_EQ(w.jobs_for("local", moved.file.key), "1");
    CHECK_OK(w.database.run_script("DELETE FROM jobs"));
    CHECK(!gets_a_fresh_key(w, moved));
  }
  {
    World w;  // it was given back untouched
    const auto moved = moved_and_collected(w);
    const auto jobs = CHECK_OK(w.queue.claim(10, kAnyPriority));
    CHECK_OK(w.queue.release(std::vector<std::int64_t>{jobs[0].id}));
    CHECK(!gets_a_fresh_key(w, moved));
  }
  {
    World w;  // somebody has that object
    const MovableObject a = w.file("aa/1");
    CHECK_OK(
        w.database.run_script("INSERT INTO attachments (id, filename, mime_type, size_bytes, sha256, store, key,"
                              " created_at) SELECT gen_random_uuid(), filename, mime_type, size_bytes, sha256,"
                              " 's3', key, created_at FROM attachments"));
    CHECK(w.plan(a).to.str().starts_with("fresh/"));
    CHECK_EQ(w.count("deletion_tickets WHERE store = 's3' AND key = 'aa/1'"), "0");
  }
  {
    World w;  // a tombstone keeps it, and its purge would take it
    const MovableObject a = w.file("aa/1");
    CHECK_OK(w.database.run_script(
        "INSERT INTO tombstones (id, attachment, variants, size_bytes, reason, purge_after)"
        " VALUES (gen_random_uuid(), '{}', '[]', 3, 'test', now());"
        "INSERT INTO tombstone_objects (store, key, tombstone) SELECT 's3', 'aa/1', id FROM tombstones"));
    CHECK(w.plan(a).to.str().starts_with("fresh/"));
  }
}

// The runner has made a job of the source, and not committed it yet, when the plan looks.
void a_plan_waits_for_who_makes_a_job_of_it() {
  World w;
  const MovableObject moved = w.move(w.file());
  w.make_all_due();
  Database other{options()};
  PgJobQueue runner(other, "other");
  CHECK_OK(other.begin());
  CHECK_OK(runner.collect_tickets());
  std::optional<PlannedMove> back;
  std::thread planner([&] { back = w.plan(moved, StoreKind::kLocal); });
  Database watcher{options()};
  for (int looks = 0; value(watcher, "SELECT count(*) FROM pg_locks WHERE NOT granted") == "0" && looks < 500;
       ++looks) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  CHECK_OK(other.commit());
  planner.join();
  CHECK(back && back->to.str() == moved.file.key);
  CHECK_EQ(w.count("jobs"), "0");  // and its job is called off
  CHECK_EQ(w.count("deletion_tickets"), "1");
}

void what_is_left_becomes_a_job_when_its_time_is_over() {
  World w;
  const MovableObject there = w.move(w.file());
  const MovableObject back = w.move(w.move(w.file()), StoreKind::kLocal);
  CHECK_OK(w.queue.collect_tickets());
  CHECK_EQ(w.count("jobs"), "0");
  // the switch of a row has purged nginx's copies of what is not on a disk; who read the row before may bring one back
  CHECK_EQ(w.count("cache_purges WHERE key IN (SELECT key FROM moved_sources)"), "1");
  w.make_all_due();
  CHECK_EQ(CHECK_OK(w.queue.collect_tickets()), 0u);  // of promises
  CHECK_EQ(w.jobs_for("local", there.file.key) + w.jobs_for("s3", back.file.key), "11");
  CHECK_EQ(w.count("moved_sources"), "0");
  // nginx keeps copies of what is not on the disk; once by the switch, once now
  CHECK_EQ(w.count("cache_purges WHERE size_bytes = 3 AND key = '" + back.file.key + "'"), "2");
  CHECK_EQ(w.count("cache_purges WHERE key = '" + there.file.key + "'"), "0");
}

void who_sleeps_wakes_for_it() {
  World w;
  w.move(w.file());
  CHECK_OK(w.database.run_script("UPDATE moved_sources SET remove_after = clock_timestamp() + interval '300 ms'"));
  const auto began = std::chrono::steady_clock::now();
  CHECK(CHECK_OK(w.queue.wait(-1, std::chrono::milliseconds(20000))) == QueueWait::kTimeout);
  CHECK(std::chrono::steady_clock::now() - began < seconds(10));
  CHECK_EQ(CHECK_OK(w.queue.claim(10, kAnyPriority)).size(), 1u);
}

void a_file_that_is_deleted_takes_along_what_moves_left() {
  World w;
  const MovableObject original = w.file(), other = w.move(w.file());
  const MovableObject variant = w.variant_of(original);
  w.move(variant);
  MovableObject there = w.move(original);
  // back under a fresh key: what was left before belongs to it all the same
  CHECK_OK(
      w.database.run_script("INSERT INTO dead_jobs (id, kind, payload, priority, attempts, failures, last_error,"
                            " created_at) SELECT 1, 'delete_object', jsonb_build_object('store', 'local', 'key',"
                            " '" +
                            there.file.key + "'), 0, 1, 1, '', now()"));
  const MovableObject back = w.move(there, StoreKind::kLocal);
  CHECK(back.file.key != original.file.key);
  CHECK(CHECK_OK(w.rows.remove_unlinked(original.file.id)));
  CHECK_EQ(w.count("moved_sources WHERE remove_after <= now()"), "3");
  CHECK_OK(w.queue.collect_tickets());
  CHECK_EQ(w.count("jobs WHERE kind = 'delete_object'"), "5");  // three of the file, both of its preview
  CHECK_EQ(w.count("moved_sources WHERE key = '" + other.file.key + "'"), "1");
  CHECK_OK(w.database.run_script("TRUNCATE attachments, variants, copies"));
  CHECK_EQ(w.count("moved_sources WHERE remove_after <= now()"), "1");
}

void an_audit_knows_what_moves_left() {
  World w;
  const MovableObject moved = w.move(w.file());
  PgAuditRows audit(w.database, "");
  const std::vector<std::string> keys{moved.file.key, "aa/unknown"};
  const auto known = CHECK_OK(audit.look(StoreKind::kLocal, keys));
  CHECK(known[0] && known[0]->owner == KnownObject::Owner::kPromise && !known[1]);
  CHECK(!CHECK_OK(audit.queue_deletions(StoreKind::kLocal, keys))[0]);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      CASE(shares_have_nothing_in_common_and_miss_nothing),
      CASE(a_switch_changes_the_row_and_leaves_the_source_for_its_readers),
      CASE(a_switch_of_a_row_that_changed_or_without_its_ticket_changes_nothing),
      CASE(the_way_back_takes_the_source_over),
      CASE(a_deletion_that_was_not_begun_is_called_off),
      CASE(where_a_deletion_may_be_under_way_the_copy_gets_a_fresh_key),
      CASE(a_plan_waits_for_who_makes_a_job_of_it),
      CASE(what_is_left_becomes_a_job_when_its_time_is_over),
      CASE(who_sleeps_wakes_for_it),
      CASE(a_file_that_is_deleted_takes_along_what_moves_left),
      CASE(an_audit_knows_what_moves_left),
  };
  return db::run("moves", tests);
}

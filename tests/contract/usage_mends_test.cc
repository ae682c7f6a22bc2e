// usage_mends_test.cc — totals on a real PostgreSQL: few parts whoever has a limit, never below nothing, and a place
// that a direct upload keeps while it is completed.
#include "database.h"
#include "db/direct_uploads.h"
#include "db/usage.h"

namespace {

using namespace db;
using std::chrono::seconds;

struct World : Emptied {
  PgDirectUploads direct{database};
  PgUsage usage{database};
  World() {
    CHECK_OK(database.run_script("TRUNCATE direct_uploads"));
    CHECK_OK(usage.begin());
    CHECK_OK(database.run_script("TRUNCATE usage_totals"));
  }
  std::string taken(const std::string& of) {
    return value(database, "SELECT bytes || ' ' || files FROM cloakroom_usage_of_" + of);
  }
  std::string parts(const std::string& kind) { return count("usage_totals WHERE kind = '" + kind + "'"); }
  Attachment add(const std::string& dialog = "d1") {
    Attachment a = upload();
    a.dialog_id = dialog;
    return put(rows, a);
  }
  // As a restore does it that disables triggers.
  void add_uncounted() {
    CHECK_OK(database.run_script("ALTER TABLE attachments DISABLE TRIGGER attachments_came_count"));
    add();
    CHECK_OK(database.run_script("ALTER TABLE attachments ENABLE TRIGGER attachments_came_count"));
  }
};

QuotaRules user_only(std::uint64_t bytes) {
  return {.user = {.bytes = bytes, .files = 0}, .dialog = {}};
}

DirectUpload ticket(std::uint64_t size, seconds life) {
  DirectUpload u;
  u.id = new_id();
  u.uploader_id = "u1";
  u.dialog_id = "d1";
  u.filename = "a.png";
  u.declared_type = "image/png";
  u.size_bytes = size;
  u.key = "quarantine/" + to_hex(u.id);
  u.expires_at = system_now() + life;
  return u;
}

RoomRequest room(std::uint64_t size, std::uint64_t most) {
  return {.rules = user_only(most), .uploader_id = "u1", .dialog_id = "d1", .by_service = false, .sizes = {size}};
}

}  // namespace

static void parts_are_merged_of_every_kind_by_whoever_counts() {
  World w;
  w.add();
  for (int i = 0; i < 40; ++i) {
    CHECK_OK(
        w.database.run_script("BEGIN ISOLATION LEVEL REPEATABLE READ;"
                              "UPDATE attachments SET size_bytes = size_bytes + 1; COMMIT"));
  }
  CHECK_EQ(w.parts("user"), "41");
  CHECK_EQ(w.parts("dialog"), "41");
  w.add();  // nobody asks for room: no kind has a limit here
  CHECK_EQ(w.parts("user"), "1");
  CHECK_EQ(w.parts("dialog"), "1");
  CHECK_EQ(w.taken("user('u1')"), "46 2");
  CHECK_EQ(w.taken("dialog('d1')"), "46 2");
  CHECK(CHECK_OK(w.usage.recount()).empty());
}

static void parts_that_others_have_locked_are_left_alone() {
  World w;
  w.add();
  for (int i = 0; i < 40; ++i) {
    CHECK_OK(
        w.database.run_script("BEGIN ISOLATION LEVEL REPEATABLE READ;"
                              "UPDATE attachments SET size_bytes = size_bytes + 1; COMMIT"));
  }
  Database other{options()};
  CHECK_OK(other.begin());
  CHECK_OK(other.run_script("SELECT FROM usage_totals WHERE bytes = 3 FOR UPDATE"));
  CHECK_OK(w.database.run_script("SET lock_timeout = '2s'"));
  w.add();
  CHECK_EQ(w.parts("user"), "2");
  CHECK_OK(other.commit());
  CHECK_EQ(w.taken("user('u1')"), "46 2");
}

static void a_total_never_gives_more_room_than_the_quota() {
  World w;
  w.add_uncounted();
  w.add_uncounted();
  w.add();
  CHECK_EQ(CHECK_OK(w.database.run_once("DELETE FROM attachments", Params{})).affected(), 3u);
  CHECK_EQ(value(w.database, "SELECT sum(bytes) || ' ' || sum(files) FROM usage_totals WHERE kind = 'user'"), "-6 -2");
  CHECK_EQ(w.taken("user('u1')"), "0 0");
  CHECK_EQ(w.taken("dialog('d1')"), "0 0");
  const Usage used = CHECK_OK(w.rows.usage_of("u1"));
  CHECK(used.bytes == 0 && used.files == 0);
  CHECK_ERR(w.direct.add_within(ticket(11, seconds(100)), seconds(50), room(11, 10)), Errc::kQuota);
  CHECK_OK(w.direct.add_within(ticket(7, seconds(100)), seconds(50), room(7, 10)));
  CHECK_EQ(w.taken("user('u1')"), "7 1");  // what is under way counts in full
  CHECK_ERR(w.direct.add_within(ticket(4, seconds(100)), seconds(50), room(4, 10)), Errc::kQuota);
}

static void the_recount_heals_a_total_below_nothing() {
  World w;
  w.add_uncounted();
  CHECK_OK(w.database.run_script("DELETE FROM attachments"));
  w.add();
  w.add();
  CHECK_EQ(w.taken("user('u1')"), "3 1");
  const auto wrong = CHECK_OK(w.usage.recount());
  CHECK_EQ(wrong.size(), 2u);
  CHECK(wrong[0].id == "u1" && wrong[0].bytes == -3 && wrong[0].files == -1);
  CHECK_EQ(w.taken("user('u1')"), "6 2");
  CHECK_EQ(w.taken("dialog('d1')"), "6 2");
  CHECK(CHECK_OK(w.usage.recount()).empty());
}

static void what_is_being_completed_keeps_its_place_beyond_its_expiry() {
  World w;
  const DirectUpload u = ticket(60, seconds(100));
  CHECK_OK(w.direct.add_within(u, seconds(50), room(60, 100)));
  CHECK_OK(w.direct.hold(u.id, seconds(50)));
  CHECK_OK(w.direct.hold(u.id, seconds(50)));  // a second call
  CHECK_OK(w.database.run_script("UPDATE direct_uploads SET expires_at = now() - interval '1 second'"));
  CHECK_EQ(w.taken("user('u1')"), "60 1");
  CHECK_EQ(w.taken("dialog('d1')"), "60 1");
  CHECK_ERR(w.direct.add_within(ticket(41, seconds(100)), seconds(50), room(41, 100)), Errc::kQuota);
  CHECK_ERR(w.direct.hold(u.id, seconds(50)), Errc::kConflict);

  Attachment a = upload();
  a.dialog_id = "d1";
  a.size_bytes = 60;
  const std::vector<ObjectKey> keys{CHECK_OK(ObjectKey::parse(a.key))};
  const auto copy = CHECK_OK(w.rows.plan_deletions(a.store, keys, seconds(600)));
  CHECK_OK(w.direct.commit(u, a, copy.front()));
  CHECK_EQ(w.taken("user('u1')"), "60 1");
  CHECK_ERR(w.direct.hold(u.id, seconds(50)), Errc::kConflict);
}

static void a_place_is_held_no_longer_than_the_completion_may_take() {
  World w;
  const DirectUpload u = ticket(60, seconds(100)), late = ticket(1, seconds(0));
  CHECK_OK(w.direct.add(u, seconds(50)));
  CHECK_OK(w.direct.add(late, seconds(50)));
  CHECK_ERR(w.direct.hold(late.id, seconds(50)), Errc::kConflict);  // too late: others may have the place
  CHECK_ERR(w.direct.hold(new_id(), seconds(50)), Errc::kConflict);
  CHECK_OK(w.direct.hold(u.id, seconds(50)));
  CHECK_OK(
      w.database.run_script("UPDATE direct_uploads SET expires_at = now() - interval '60 seconds',"
                            " held_until = now() - interval '1 second'"));
  CHECK_EQ(w.taken("user('u1')"), "0 0");
}

int main() {
  const CMUnitTest tests[] = {
      CASE(parts_are_merged_of_every_kind_by_whoever_counts),
      CASE(parts_that_others_have_locked_are_left_alone),
      CASE(a_total_never_gives_more_room_than_the_quota),
      CASE(the_recount_heals_a_total_below_nothing),
      CASE(what_is_being_completed_keeps_its_place_beyond_its_expiry),
      CASE(a_place_is_held_no_longer_than_the_completion_may_take),
  };
  return db::run("usage_mends", tests);
}

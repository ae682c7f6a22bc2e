// usage_test.cc — quotas on a real PostgreSQL: room is held, given back and counted, whoever changes the rows.
#include "db/usage.h"

#include <atomic>
#include <thread>

#include "database.h"
#include "db/direct_uploads.h"

namespace {

using namespace db;
using std::chrono::seconds;

constexpr std::uint64_t kMany = 1'000'000'000;

struct World {
  Database database{options()};
  PgRows rows{database};
  PgDirectUploads direct{database};
  PgUsage usage{database};
  World() {
    clear(database);
    CHECK_OK(database.run_script("TRUNCATE rate_limits, direct_uploads"));
    CHECK_OK(usage.begin());
    CHECK(CHECK_OK(usage.recount()).empty());  // what the test before left was true, too
    CHECK_OK(database.run_script("TRUNCATE usage_totals"));
  }
  // After every test: what is counted is what is there.
  ~World() noexcept(false) {
    if (std::uncaught_exceptions() == 0) CHECK(CHECK_OK(usage.recount()).empty());
  }

  // "bytes files" of a user or dialog, uploads under way included.
  std::string taken(const std::string& kind, const std::string& id) {
    return value(database, "SELECT bytes || ' ' || files FROM cloakroom_usage_of_" + kind + "('" + id + "')");
  }
  std::string user(const std::string& id = "u1") { return taken("user", id); }
  std::string dialog(const std::string& id = "d1") { return taken("dialog", id); }
  std::string tickets() { return value(database, "SELECT count(*) FROM deletion_tickets"); }
};

struct Planned {
  std::vector<Attachment> made;
  UploadClaim claim;
  std::vector<ObjectKey> keys;
};

Planned planned(const QuotaRules& rules, const std::vector<std::uint64_t>& sizes,
                const std::optional<std::string>& uploader = "u1", const std::optional<std::string>& dialog = {}) {
  Planned p;
  p.claim.room = {
      .rules = rules, .uploader_id = uploader, .dialog_id = dialog, .by_service = !uploader, .sizes = sizes};
  for (const std::uint64_t size : sizes) {
    Attachment a = upload(uploader);
    a.size_bytes = size;
    a.dialog_id = dialog;
    p.keys.push_back(CHECK_OK(ObjectKey::parse(a.key)));
    p.made.push_back(a);
  }
  return p;
}

Result<std::vector<DeletionTicket>> plan(World& w, const Planned& p) {
  return w.rows.plan_upload(StoreKind::kLocal, p.keys, seconds(600), p.claim);
}

// Plans and commits.
std::vector<Attachment> keep(World& w, const Planned& p) {
  const auto tickets = CHECK_OK(plan(w, p));
  CHECK_OK(w.rows.commit_upload(p.made, tickets));
  return p.made;
}

std::string refusal(const Error& error) {
  CHECK_EQ(error.code, Errc::kQuota);
  return error.say;
}

const QuotaRules kUserBytes{.user = {.bytes = 100, .files = 0}, .dialog = {}};
const QuotaRules kUserFiles{.user = {.bytes = 0, .files = 3}, .dialog = {}};
const QuotaRules kDialogBytes{.user = {}, .dialog = {.bytes = 100, .files = 0}};
const QuotaRules kDialogFiles{.user = {}, .dialog = {.bytes = 0, .files = 3}};
const QuotaRules kPlenty{.user = {kMany, kMany}, .dialog = {kMany, kMany}};

// Whether somebody comes to wait for an advisory lock within five seconds.
bool is_waited_for(Database& database) {
  for (int i = 0; i < 500; ++i) {
    if (value(database, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted") != "0")
      return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

LinkRequest link(std::vector<Uuid> ids, const std::optional<std::string>& dialog, const Quota& quota) {
  return {.attachment_ids = std::move(ids),
          .message_id = "m1",
          .dialog_id = dialog,
          .uploader_id = "u1",
          .by_service = false,
          .dialog_quota = quota};
}

}  // namespace

static void room_is_held_from_the_ticket_on_and_kept_by_the_row() {
  World w;
  const Planned p = planned(kPlenty, {60, 5}, "u1", "d1");
  const auto tickets = CHECK_OK(plan(w, p));
  CHECK_EQ(tickets.size(), 2u);
  for (std::size_t i = 0; i < 2; ++i) {
    CHECK_EQ(value(w.database, "SELECT key FROM deletion_tickets WHERE id = " + std::to_string(tickets[i].id)),
             p.made[i].key);
  }
  CHECK_EQ(w.user(), "65 2");
  CHECK_EQ(w.dialog(), "65 2");
  CHECK_OK(w.rows.commit_upload(p.made, tickets));
  CHECK_EQ(w.tickets(), "0");
  CHECK_EQ(w.user(), "65 2");
  CHECK_EQ(w.dialog(), "65 2");
  const Usage used = CHECK_OK(w.rows.usage_of("u1"));
  CHECK(used.bytes == 65 && used.files == 2);
  CHECK_EQ(w.user("u2"), "0 0");
}

static void each_quota_is_kept_to_the_byte_and_the_file_and_names_itself() {
  for (const bool of_user : {true, false}) {
    for (const bool of_bytes : {true, false}) {
      World w;
      const QuotaRules rules =
          of_user ? (of_bytes ? kUserBytes : kUserFiles) : (of_bytes ? kDialogBytes : kDialogFiles);
      keep(w, planned(rules, {60, 10}, "u1", "d1"));
      const auto refused = plan(w, planned(rules, {20, 11}, "u1", "d1"));
      const std::string who = of_user ? "user" : "dialog";
      CHECK_EQ(refusal(refused.error()),
               "The quota of the " + who +
                   (of_bytes ? " is 100 bytes; 30 are left, and this takes 31. Remove files first. Nothing was kept."
                             : " is 3 files; 1 are left, and this has 2. Remove files first. Nothing was kept."));
      CHECK_EQ(w.tickets(), "0");  // of many files none
      CHECK_EQ(w.user(), "70 2");
      keep(w, planned(rules, {30}, "u1", "d1"));
      CHECK_EQ(w.dialog(), "100 3");
      CHECK_ERR(plan(w, planned(rules, {1}, "u1", "d1")), Errc::kQuota);
      CHECK_OK(plan(w, planned(rules, {60}, "u2", "d2")));  // others are not concerned
    }
  }
}

static void a_quota_that_was_lowered_leaves_nothing_and_takes_nothing_away() {
  World w;
  keep(w, planned(kPlenty, {500}));
  const auto refused = plan(w, planned(kUserBytes, {1}));
  CHECK(refusal(refused.error()).find("; 0 are left") != std::string::npos);
  CHECK_EQ(w.user(), "500 1");
}

static void a_size_beyond_all_bounds_is_refused_and_not_added_up_wrong() {
  World w;
  CHECK_ERR(plan(w, planned({.user = {std::uint64_t{1} << 46, 0}, .dialog = {}}, {std::uint64_t{1} << 62})),
            Errc::kQuota);
}

static void the_services_own_files_are_no_users_but_the_dialogs() {
  World w;
  QuotaRules both{.user = {1, 1}, .dialog = {100, 0}};
  keep(w, planned(both, {60, 20}, std::nullopt, "d1"));
  CHECK_EQ(w.dialog(), "80 2");
  CHECK_ERR(plan(w, planned(both, {21}, std::nullopt, "d1")), Errc::kQuota);
  CHECK_OK(plan(w, planned(both, {kMany}, std::nullopt)));
}

static void who_may_not_link_in_a_dialog_cannot_fill_it_nor_learn_how_full_it_is() {
  World w;
  CHECK_OK(w.rows.replace_members("d1", std::vector<std::string>{"u1"}));
  keep(w, planned(kDialogBytes, {60}, "u1", "d1"));
  for (const std::uint64_t size : {std::uint64_t{1}, std::uint64_t{41}}) {
    const auto refused = plan(w, planned(kDialogBytes, {size}, "u2", "d1"));
    CHECK_EQ(refusal(refused.error()),
             "The quota of the dialog is for its members, and you are not one of them. Nothing was kept.");
  }
  Planned for_user = planned(kDialogBytes, {10}, "u2", "d1");
  for_user.claim.room.by_service = true;
  keep(w, for_user);
  CHECK_OK(plan(w, planned(kUserBytes, {10}, "u2", "d1")));  // a dialog without a quota is open as it was
}

static void what_failed_gives_its_room_back_at_once() {
  World w;
  const Planned p = planned(kUserBytes, {60, 40}, "u1", "d1");
  const auto hastened = CHECK_OK(plan(w, p));
  CHECK_OK(w.rows.hasten_deletions(hastened));
  CHECK_EQ(w.user(), "0 0");
  const auto given_up = CHECK_OK(plan(w, planned(kUserBytes, {60, 40}, "u1", "d1")));
  CHECK_EQ(w.user(), "100 2");
  CHECK_OK(w.rows.give_up_room(given_up));
  CHECK_EQ(w.user(), "0 0");
  CHECK_EQ(w.dialog(), "0 0");
  CHECK_EQ(w.tickets(), "4");  // their objects are to be deleted all the same
  CHECK_EQ(value(w.database, "SELECT count(*) FROM deletion_tickets WHERE due_at > now()"), "2");
}

static void a_ticket_that_became_a_job_holds_nothing() {
  World w;
  const auto tickets = CHECK_OK(plan(w, planned(kUserBytes, {100})));
  CHECK_OK(w.database.run_script("DELETE FROM deletion_tickets"));  // as the runner does when it is due
  CHECK_EQ(w.user(), "0 0");
  CHECK_OK(plan(w, planned(kUserBytes, {100})));
}

static void tickets_of_copies_hold_nothing() {
  World w;
  const std::vector<ObjectKey> keys{CHECK_OK(ObjectKey::parse("ab/copy"))};
  CHECK_OK(w.rows.plan_deletions(StoreKind::kS3, keys, seconds(600)));
  CHECK_EQ(w.user(), "0 0");
  const auto a = keep(w, planned(kPlenty, {7}))[0];
  const auto copy = CHECK_OK(w.rows.plan_deletions(StoreKind::kS3, keys, seconds(600)));
  CHECK_OK(w.rows.switch_object({.id = a.id,
                                 .from = StoreKind::kLocal,
                                 .from_key = a.key,
                                 .to = StoreKind::kS3,
                                 .to_key = "ab/copy",
                                 .ticket = copy[0],
                                 .linger = seconds(1)}));
  CHECK_EQ(w.user(), "7 1");
}

static void rows_that_others_write_change_and_delete_are_counted() {
  World w;
  keep(w, planned(kPlenty, {10, 20}, "u1", "d1"));
  keep(w, planned(kPlenty, {40}, "u2", "d1"));
  put(w.rows, upload("u3"));  // by a node without quotas
  CHECK_EQ(w.user("u3"), "3 1");
  CHECK_OK(w.database.run_script("UPDATE attachments SET dialog_id = 'd2' WHERE size_bytes = 10"));
  CHECK_OK(w.database.run_script("UPDATE attachments SET uploader_id = NULL, size_bytes = 50 WHERE size_bytes = 40"));
  CHECK_EQ(w.dialog(), "70 2");
  CHECK_EQ(w.dialog("d2"), "10 1");
  CHECK_EQ(w.user("u2"), "0 0");
  CHECK_OK(w.database.run_script("UPDATE attachments SET account_id = 'x'"));
  CHECK_OK(w.database.run_script("BEGIN; DELETE FROM attachments; ROLLBACK"));
  CHECK_EQ(w.user(), "30 2");
  CHECK_OK(w.database.run_script("DELETE FROM attachments WHERE size_bytes = 20"));
  CHECK_EQ(w.user(), "10 1");
  CHECK_OK(w.database.run_script("TRUNCATE attachments CASCADE"));
  CHECK_EQ(w.user(), "0 0");
  CHECK_EQ(w.dialog(), "0 0");
}

static void our_own_deletions_and_quarantine_are_counted() {
  World w;
  const auto made = keep(w, planned(kPlenty, {10, 20, 40}));
  CHECK(CHECK_OK(w.rows.remove_unlinked(made[0].id)));
  CHECK_OK(w.rows.link(link({made[1].id}, "d1", {})));
  CHECK(CHECK_OK(w.rows.quarantine(made[2].id)));
  CHECK_EQ(w.user(), "60 2");  // whoever sent it has it, until it is removed
  CHECK_EQ(w.dialog(), "20 1");
  CHECK_EQ(CHECK_OK(w.rows.remove_message("m1")), 1u);
  CHECK_EQ(w.user(), "40 1");
  CHECK_EQ(w.dialog(), "0 0");
}

static void a_role_that_may_only_delete_gives_back() {
  World w;
  keep(w, planned(kPlenty, {10}));
  const std::string role = "\"" + schema_name("_app") + "\"", schema = w.database.schema_identifier();
  CHECK_OK(w.database.run_script("CREATE ROLE " + role + "; GRANT USAGE ON SCHEMA " + schema + " TO " + role +
                                 "; GRANT SELECT, DELETE ON attachments TO " + role));
  const Status done = w.database.run_script("SET ROLE " + role + "; DELETE FROM " + schema + ".attachments");
  CHECK_OK(w.database.run_script("RESET ROLE; DROP OWNED BY " + role + "; DROP ROLE " + role));
  CHECK_OK(done);
  CHECK_EQ(w.user(), "0 0");
}

static void a_transaction_that_deletes_and_stays_open_holds_up_nobody() {
  World w;
  keep(w, planned(kUserBytes, {100}));
  Database other{options()};
  CHECK_OK(other.begin());
  CHECK_OK(other.run_script("DELETE FROM attachments"));
  CHECK_OK(w.database.run_script("SET lock_timeout = '2s'"));
  CHECK_ERR(plan(w, planned(kUserBytes, {1})), Errc::kQuota);  // it may still be rolled back
  put(w.rows, upload());                                       // it has the total's only part
  CHECK_EQ(w.user(), "103 2");
  CHECK_OK(w.database.run_script("DELETE FROM attachments WHERE size_bytes = 3"));
  CHECK_OK(other.commit());
  CHECK_OK(plan(w, planned(kUserBytes, {1})));
}

static void who_looks_for_room_waits_for_who_looked_before() {
  for (const std::string who : {"user", "dialog"}) {
    World w;
    const bool of_user = who == "user";
    Database other{options()};
    CHECK_OK(other.begin());
    CHECK_OK(
        other.run_script("SELECT cloakroom_plan_within('local', ARRAY['ab/1'], interval '1 h', 'u1', 'd1', false, "
                         "ARRAY[60]::int8[], ARRAY[" +
                         std::string(of_user ? "100,0,0,0" : "0,0,100,0") + "]::int8[])"));
    std::optional<Errc> outcome;
    std::thread second([&] {
      Database database{options()};
      PgRows rows{database};
      const Planned p = planned(of_user ? kUserBytes : kDialogBytes, {60}, of_user ? "u1" : "u2", "d1");
      const auto tickets = rows.plan_upload(StoreKind::kLocal, p.keys, seconds(600), p.claim);
      outcome = tickets ? Errc::kInternal : tickets.error().code;
    });
    const bool waited = is_waited_for(w.database);
    const Status done = other.commit();
    second.join();
    CHECK_OK(done);
    CHECK(waited);
    CHECK(outcome == Errc::kQuota);
  }
}

static void of_two_recounts_at_once_one_puts_it_right() {
  World w;
  keep(w, planned(kPlenty, {10}));
  CHECK_OK(w.database.run_script("UPDATE usage_totals SET bytes = 7"));
  Database other{options()};
  CHECK_OK(other.begin());
  CHECK_OK(other.run_script("SELECT * FROM cloakroom_recount_usage()"));
  std::size_t found = 1000;
  std::thread second([&] {
    Database database{options()};
    const auto wrong = PgUsage(database).recount();
    if (wrong) found = wrong->size();
  });
  const bool waited = is_waited_for(w.database);
  const Status done = other.commit();
  second.join();
  CHECK_OK(done);
  CHECK(waited);
  CHECK_EQ(found, 0u);
  CHECK_EQ(w.user(), "10 1");
}

static void many_at_once_get_exactly_the_room_there_is() {
  World w;
  const QuotaRules rules{.user = {.bytes = 1000, .files = 0}, .dialog = {.bytes = 0, .files = 40}};
  std::atomic<int> kept{0}, wrong{0};
  const auto client = [&](int number) {
    Database database{options()};
    PgRows rows{database};
    for (int i = 0; i < 40; ++i) {
      // half of them in one dialog, with two users; each user has room for 25 in all
      const std::string user = "u" + std::to_string(number % 2);
      const Planned p = planned(rules, {40}, user, i % 2 == 0 ? "d1" : "d" + user);
      const auto tickets = rows.plan_upload(StoreKind::kLocal, p.keys, seconds(600), p.claim);
      if (!tickets) {
        if (tickets.error().code != Errc::kQuota) ++wrong;
      } else if (i % 5 == 4) {
        if (!rows.hasten_deletions(*tickets)) ++wrong;
      } else if (rows.commit_upload(p.made, *tickets)) {
        ++kept;
      } else {
        ++wrong;
      }
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) threads.emplace_back(client, i);
  for (std::thread& one : threads) one.join();
  CHECK_EQ(wrong.load(), 0);
  CHECK_EQ(w.user("u0"), "1000 25");
  CHECK_EQ(w.user("u1"), "1000 25");
  CHECK_EQ(kept.load(), 50);
}

static void the_budget_of_requests_comes_before_the_quota() {
  World w;
  const RateSet rates{CHECK_OK(parse_rate("3/d")), {}, {}}, wide{CHECK_OK(parse_rate("100/d")), {}, {}};
  Planned p = planned(kUserFiles, {1});
  p.claim.spenders = {{"u:u1", &rates}, {"a:192.0.2.1", &wide}};
  const auto again = [&] {
    Planned next = planned(kUserFiles, {1});
    next.claim.spenders = p.claim.spenders;
    return next;
  };
  CHECK_OK(plan(w, p));
  Planned too_many = planned(kUserFiles, {1, 1, 1});
  too_many.claim.spenders = p.claim.spenders;
  CHECK_ERR(plan(w, too_many), Errc::kQuota);  // it has cost one all the same
  Planned one = again();
  one.claim.spenders.pop_back();
  CHECK_OK(plan(w, one));
  CHECK_ERR(plan(w, again()), Errc::kTooMany);
  CHECK_EQ(w.tickets(), "2");
  // a meter that is gone does not lift the quota
  CHECK_OK(w.database.run_script("ALTER TABLE rate_limits RENAME TO elsewhere"));
  CHECK_OK(plan(w, again()));
  CHECK_ERR(plan(w, again()), Errc::kQuota);
  PgRows fresh(w.database);
  const Planned last = again();
  CHECK_ERR(fresh.plan_upload(StoreKind::kLocal, last.keys, seconds(600), last.claim), Errc::kQuota);
  CHECK_OK(w.database.run_script("ALTER TABLE elsewhere RENAME TO rate_limits"));
}

static void linking_moves_what_is_taken_and_stops_where_the_dialog_is_full() {
  World w;
  const auto made = keep(w, planned(kPlenty, {60, 30, 11}));
  const auto there = keep(w, planned(kPlenty, {5}, "u1", "d1"));
  const Quota bytes{.bytes = 100, .files = 0}, files{.bytes = 0, .files = 3};
  const auto rows_before = value(w.database, "SELECT string_agg(a::text, ';' ORDER BY id) FROM attachments a");
  for (const Quota& quota : {bytes, files}) {
    const auto refused = w.rows.link(link({made[0].id, made[1].id, made[2].id, there[0].id}, "d1", quota));
    CHECK(refusal(refused.error()).starts_with("The quota of the dialog is "));
    CHECK_EQ(value(w.database, "SELECT string_agg(a::text, ';' ORDER BY id) FROM attachments a"), rows_before);
  }
  CHECK_EQ(w.dialog(), "5 1");
  const LinkRequest fits = link({made[0].id, made[1].id, there[0].id}, "d1", bytes);
  CHECK_OK(w.rows.link(fits));
  CHECK_EQ(w.dialog(), "95 3");
  CHECK_EQ(w.user(), "106 4");
  const Quota less{.bytes = 10, .files = 1};
  LinkRequest again = fits;
  again.dialog_quota = less;
  CHECK_OK(w.rows.link(again));  // a lost answer is repeated whatever the quota is by now
  // without a dialog nothing is added to one
  LinkRequest nowhere = link({made[2].id}, {}, less);
  nowhere.message_id = "m2";
  CHECK_OK(w.rows.link(nowhere));
  // what cannot be linked at all is a 409 before it is a 413
  CHECK_ERR(w.rows.link(link({new_id()}, "d1", less)), Errc::kConflict);
}

static void an_open_direct_upload_holds_its_announced_size() {
  World w;
  const auto room = [](std::uint64_t size) {
    return RoomRequest{
        .rules = kUserBytes, .uploader_id = "u1", .dialog_id = "d1", .by_service = false, .sizes = {size}};
  };
  const auto ticket = [](std::uint64_t size, seconds life) {
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
  };
  const DirectUpload u = ticket(60, seconds(100));
  CHECK_OK(w.direct.add_within(u, seconds(50), room(60)));
  CHECK_EQ(w.user(), "60 1");
  CHECK_EQ(w.dialog(), "60 1");
  const DirectUpload too_large = ticket(41, seconds(100));
  CHECK(refusal(w.direct.add_within(too_large, seconds(50), room(41)).error()).find("40 are left") !=
        std::string::npos);
  CHECK(!CHECK_OK(w.direct.find(too_large.id)));
  CHECK_EQ(w.tickets(), "1");

  Attachment a = upload("u1");
  a.dialog_id = "d1";
  a.size_bytes = 60;
  const std::vector<ObjectKey> keys{CHECK_OK(ObjectKey::parse(a.key))};
  const auto copy = CHECK_OK(w.rows.plan_deletions(a.store, keys, seconds(600)));
  CHECK_OK(w.direct.commit(u, a, copy.front()));
  CHECK_EQ(w.user(), "60 1");

  const DirectUpload refused = ticket(40, seconds(100));
  CHECK_OK(w.direct.add_within(refused, seconds(50), room(40)));
  CHECK_EQ(w.user(), "100 2");
  CHECK_OK(w.direct.refuse(refused));
  CHECK_EQ(w.user(), "60 1");
  CHECK_OK(w.direct.add_within(ticket(40, seconds(-1)), seconds(50), room(40)));  // expired: nobody can complete it
  CHECK_EQ(w.user(), "60 1");
  CHECK_EQ(w.dialog(), "60 1");
}

static void totals_stay_short_and_a_transaction_that_sees_no_news_adds_parts() {
  World w;
  const auto parts = [&] { return value(w.database, "SELECT count(*) FROM usage_totals WHERE kind = 'user'"); };
  for (int i = 0; i < 10; ++i) keep(w, planned(kPlenty, {1}, "u1", "d1"));
  CHECK_EQ(parts(), "1");
  for (int i = 0; i < 40; ++i) {
    CHECK_OK(
        w.database.run_script("BEGIN ISOLATION LEVEL REPEATABLE READ; UPDATE attachments SET size_bytes = "
                              "size_bytes + 1 WHERE id = (SELECT min(id::text)::uuid FROM attachments); COMMIT"));
  }
  CHECK_EQ(parts(), "41");
  CHECK_EQ(w.user(), "50 10");
  keep(w, planned(kPlenty, {1}, "u1", "d1"));
  CHECK_EQ(parts(), "1");
  CHECK_EQ(w.user(), "51 11");
  CHECK_EQ(w.dialog(), "51 11");
}

static void a_transaction_that_sees_no_news_never_fails_for_being_counted() {
  World w;
  keep(w, planned(kPlenty, {5, 6}));
  Database other{options()};
  CHECK_OK(other.run_script("BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT count(*) FROM attachments"));
  keep(w, planned(kPlenty, {7}));
  CHECK_OK(other.run_script("DELETE FROM attachments WHERE size_bytes = 5; COMMIT"));
  CHECK_EQ(w.user(), "13 2");
}

static void the_recount_finds_and_repairs_what_is_wrong() {
  World w;
  keep(w, planned(kPlenty, {10, 20}, "u1", "d1"));
  CHECK_OK(w.database.run_script(
      "UPDATE usage_totals SET bytes = 7 WHERE kind = 'user';"
      "INSERT INTO usage_totals VALUES ('user', 'ghost', DEFAULT, 5, 1), ('dialog', 'd1', DEFAULT, -1, -2)"));
  const auto wrong = CHECK_OK(w.usage.recount());
  CHECK_EQ(wrong.size(), 3u);
  CHECK(wrong[0].kind == "user" && wrong[0].id == "ghost" && wrong[0].bytes == 5 && wrong[0].files == 1);
  CHECK(wrong[1].id == "u1" && wrong[1].bytes == -23 && wrong[1].files == 0);
  CHECK(wrong[2].kind == "dialog" && wrong[2].bytes == -1 && wrong[2].files == -2);
  CHECK_EQ(w.user(), "30 2");
  CHECK_EQ(w.user("ghost"), "0 0");
  CHECK_EQ(w.dialog(), "30 2");
}

static void a_recount_amid_uploads_finds_nothing_wrong() {
  World w;
  std::atomic<bool> stop{false};
  std::atomic<int> wrong{0}, kept{0};
  std::vector<std::thread> threads;
  for (int number = 0; number < 3; ++number) {
    threads.emplace_back([&, number] {
      Database database{options()};
      PgRows rows{database};
      while (!stop) {
        const Planned p = planned(kPlenty, {3}, "u" + std::to_string(number), "d1");
        const auto tickets = rows.plan_upload(StoreKind::kLocal, p.keys, seconds(600), p.claim);
        if (!tickets || !rows.commit_upload(p.made, *tickets)) ++wrong;
        if (++kept % 3 == 0 && !rows.remove_unlinked(p.made[0].id)) ++wrong;
      }
    });
  }
  std::size_t differences = 0;
  for (int i = 0; i < 30; ++i) {
    const auto found = w.usage.recount();
    differences += found ? found->size() : 1000;
  }
  stop = true;
  for (std::thread& one : threads) one.join();
  CHECK_EQ(differences, 0u);
  CHECK_EQ(wrong.load(), 0);
  CHECK(kept.load() > 0);
}

static void what_was_there_before_is_counted_when_counting_begins() {
  World w;
  CHECK(!CHECK_OK(w.usage.begin()));  // it has begun
  CHECK_OK(w.database.run_script("SELECT cloakroom_stop_counting()"));
  put(w.rows, upload());
  CHECK_EQ(w.user(), "0 0");  // nobody pays
  const auto uncounted = plan(w, planned(kUserBytes, {1}));
  CHECK_ERR(uncounted, Errc::kInternal);
  CHECK(uncounted.error().detail.find("run cloakroom migrate") != std::string::npos);
  CHECK(!w.rows.link(link({new_id()}, "d1", {1, 1})));
  CHECK(CHECK_OK(w.usage.begin()));
  CHECK_EQ(w.user(), "3 1");
}

int main() {
  const CMUnitTest tests[] = {
      CASE(room_is_held_from_the_ticket_on_and_kept_by_the_row),
      CASE(each_quota_is_kept_to_the_byte_and_the_file_and_names_itself),
      CASE(a_quota_that_was_lowered_leaves_nothing_and_takes_nothing_away),
      CASE(a_size_beyond_all_bounds_is_refused_and_not_added_up_wrong),
      CASE(the_services_own_files_are_no_users_but_the_dialogs),
      CASE(who_may_not_link_in_a_dialog_cannot_fill_it_nor_learn_how_full_it_is),
      CASE(what_failed_gives_its_room_back_at_once),
      CASE(a_ticket_that_became_a_job_holds_nothing),
      CASE(tickets_of_copies_hold_nothing),
      CASE(rows_that_others_write_change_and_delete_are_counted),
      CASE(our_own_deletions_and_quarantine_are_counted),
      CASE(a_role_that_may_only_delete_gives_back),
      CASE(a_transaction_that_deletes_and_stays_open_holds_up_nobody),
      CASE(who_looks_for_room_waits_for_who_looked_before),
      CASE(of_two_recounts_at_once_one_puts_it_right),
      CASE(many_at_once_get_exactly_the_room_there_is),
      CASE(the_budget_of_requests_comes_before_the_quota),
      CASE(linking_moves_what_is_taken_and_stops_where_the_dialog_is_full),
      CASE(an_open_direct_upload_holds_its_announced_size),
      CASE(totals_stay_short_and_a_transaction_that_sees_no_news_adds_parts),
      CASE(a_transaction_that_sees_no_news_never_fails_for_being_counted),
      CASE(the_recount_finds_and_repairs_what_is_wrong),
      CASE(a_recount_amid_uploads_finds_nothing_wrong),
      CASE(what_was_there_before_is_counted_when_counting_begins),
  };
  return db::run("usage", tests);
}

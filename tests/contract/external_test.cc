// external_test.cc — rows of files that live elsewhere on a real PostgreSQL: what passes over them, and what does not.
#include "domain/external.h"

#include "database.h"
#include "db/cleanup.h"
#include "db/rescans.h"
#include "db/tombstones.h"
#include "db/usage.h"
#include "db/variants.h"

namespace {

using namespace db;
using std::chrono::seconds;

const std::string kUrl = "https://media.example.com/a.png";

struct World : Emptied {
  PgVariants variants{database};
  PgRescans rescans{database, "one"};
  World() { CHECK_OK(database.run_script("TRUNCATE cache_purges, rate_limits, direct_uploads")); }

  Attachment elsewhere(const std::optional<std::string>& message = {}, const std::optional<std::string>& dialog = {}) {
    const Attachment a = CHECK_OK(external_attachment({.url = kUrl,
                                                       .filename = "a.png",
                                                       .mime_type = "image/png",
                                                       .uploader_id = "u1",
                                                       .dialog_id = dialog,
                                                       .message_id = message,
                                                       .account_id = "7"},
                                                      system_now()));
    CHECK_OK(rows.add_external(a));
    return a;
  }
  // That one and no other was found.
  static void check_alone(const Result<std::vector<Attachment>>& found, const Uuid& id) {
    const auto seen = CHECK_OK(found);
    CHECK_EQ(seen.size(), 1u);
    CHECK(seen[0].id == id && !seen[0].external_url);
  }
};

void check_same(const Attachment& read, const Attachment& written) {
  CHECK(read.id == written.id && read.status == written.status && read.external_url == kUrl);
  CHECK(read.uploader_id == "u1" && read.account_id == "7" && read.filename == "a.png");
  CHECK(read.mime_type == "image/png" && read.created_at == written.created_at);
  CHECK(read.message_id == written.message_id && read.dialog_id == written.dialog_id);
  CHECK(read.key.empty() && read.size_bytes == 0 && read.sha256 == Sha256Digest{});
}

void a_row_comes_back_as_it_was_written_by_every_question() {
  World w;
  const Attachment plain = w.elsewhere(), linked = w.elsewhere("m1", "d1");
  check_same(CHECK_OK(w.rows.find(plain.id, "u1"))->attachment, plain);
  check_same(CHECK_OK(w.rows.find_unlinked("u1", 10)).at(0), plain);
  const auto of_message = CHECK_OK(w.rows.find_by_messages(std::vector<std::string>{"m1"}, "u1"));
  CHECK_EQ(of_message.size(), 1u);
  check_same(of_message[0].attachment, linked);
  CHECK_OK(w.rows.replace_members("d1", std::vector<std::string>{"u2"}));
  const Rate daily = CHECK_OK(parse_rate("50/d"));
  const RateRules rules{{daily, daily, daily}, {daily, daily, daily}};
  for (const Spenders& spenders : {Spenders{}, spenders_of(rules, std::nullopt, "192.0.2.8"),
                                   spenders_of(rules, std::optional<std::string>("u2"), "192.0.2.7")}) {
    const auto found = CHECK_OK(w.rows.find_within(linked.id, "u2", spenders));
    check_same(found->attachment, linked);
    CHECK(found->caller_is_member);
    const auto both = CHECK_OK(w.rows.find_with_variants(linked.id, "u2", spenders, "thumb"));
    check_same(both.file->attachment, linked);
    CHECK(both.file->caller_is_member && both.variants.empty());
  }
  CHECK_EQ(w.count("attachments WHERE linked_at = created_at"), "1");
}

void it_is_linked_as_others_are() {
  World w;
  const Attachment a = w.elsewhere();
  const LinkRequest link{.attachment_ids = {a.id}, .message_id = "m1", .dialog_id = "d1", .uploader_id = "u1"};
  const auto linked = CHECK_OK(w.rows.link(link));
  CHECK(linked.size() == 1 && linked[0].status == AttachmentStatus::kLinked && linked[0].external_url == kUrl);
  CHECK_EQ(CHECK_OK(w.rows.link(link)).size(), 1u);
  LinkRequest stolen = link;
  stolen.uploader_id = "u2";
  CHECK_ERR(w.rows.link(stolen), Errc::kConflict);
}

void the_table_takes_no_halves_and_no_other_addresses() {
  World w;
  const Attachment here = put(w.rows, upload());
  const Attachment there = w.elsewhere();
  for (const char* change :
       {"store = 'local'", "key = 'ab/cd'", "size_bytes = 0", "sha256 = decode(repeat('00', 32), 'hex')",
        "external_url = NULL", "external_url = 'javascript:alert(1)'", "external_url = ''",
        "external_url = 'https://a.example/ b'", "external_url = 'https://a.example/' || repeat('a', 2048)"}) {
    CHECK(!w.database.run_script("UPDATE attachments SET " + std::string(change) + " WHERE id = '" +
                                 to_string(there.id) + "'"));
  }
  for (const char* change : {"store = NULL", "key = NULL", "size_bytes = NULL", "sha256 = NULL",
                             "external_url = 'https://a.example/'", "store = NULL, key = NULL"}) {
    CHECK(!w.database.run_script("UPDATE attachments SET " + std::string(change) + " WHERE id = '" +
                                 to_string(here.id) + "'"));
  }
}

void its_deletion_by_whatever_way_queues_no_object() {
  World w;
  for (const std::string way : {"remove", "message", "DELETE FROM attachments", "TRUNCATE attachments CASCADE"}) {
    clear(w.database);
    const Attachment a = w.elsewhere(way == "message" ? std::optional<std::string>("m1") : std::nullopt);
    if (way == "remove") {
      CHECK(CHECK_OK(w.rows.remove_unlinked(a.id)));
    } else if (way == "message") {
      CHECK_EQ(CHECK_OK(w.rows.remove_message("m1")), 1u);
    } else {
      put(w.rows, upload());  // its object goes
      CHECK_OK(w.database.run_script(way));
    }
    CHECK_EQ(w.count("attachments"), "0");
    CHECK_EQ(w.count("jobs"), way == "remove" || way == "message" ? "0" : "1");
    CHECK_EQ(w.count("jobs WHERE payload->>'key' IS NULL"), "0");
    CHECK_EQ(w.count("deletion_tickets"), "0");
    CHECK_EQ(w.count("cache_purges"), "0");
  }
}

void quarantine_purges_nothing() {
  World w;
  const Attachment a = w.elsewhere();
  CHECK(CHECK_OK(w.rows.quarantine(a.id)));
  CHECK_EQ(w.count("cache_purges"), "0");
  CHECK(CHECK_OK(w.rows.remove_unlinked(a.id)));
}

void nobodys_registration_makes_nobody_the_author() {
  World w;
  w.elsewhere("m1", "d1");
  CHECK_OK(w.database.run_script("UPDATE attachments SET uploader_id = NULL"));
  const Attachment mine = put(w.rows, upload());
  CHECK_OK(w.rows.link({.attachment_ids = {mine.id}, .message_id = "m1", .dialog_id = "d1", .uploader_id = "u1"}));
  // what was registered in somebody's name does
  w.elsewhere("m2", "d1");
  CHECK_OK(w.database.run_script("UPDATE attachments SET uploader_id = 'u2' WHERE message_id = 'm2'"));
  const Attachment other = put(w.rows, upload());
  CHECK_ERR(w.rows.link({.attachment_ids = {other.id}, .message_id = "m2", .dialog_id = "d1", .uploader_id = "u1"}),
            Errc::kConflict);
}

void walks_over_bytes_pass_it_by() {
  World w;
  const Attachment here = put(w.rows, upload());
  w.elsewhere();
  w.check_alone(w.rescans.next({}, 10), here.id);
  w.check_alone(w.variants.next({}, 10), here.id);
  CHECK_EQ(CHECK_OK(w.variants.count_from({})), 1u);
  CHECK_OK(w.database.run_script("UPDATE attachments SET created_at = now() - interval '3 hours'"));
  const auto stale = CHECK_OK(PgCleanup(w.database, "").stale(std::chrono::hours(1), std::nullopt, 10));
  CHECK_EQ(stale.files.size(), 1u);
  CHECK(stale.files[0].id == here.id);
}

void it_can_be_had_back_like_any_other() {
  World w;
  const Attachment a = w.elsewhere("m1", "d1");
  PgCleanup cleanup(w.database, "");
  PgTombstones tombstones(w.database);
  const auto page = CHECK_OK(cleanup.next({}, 10));
  CHECK_EQ(page.files.size(), 1u);
  CHECK_EQ(page.files[0].size_bytes, 0u);
  const std::vector<CleanupCandidate> candidates{{page.files[0], "too old"}};
  CHECK_EQ(CHECK_OK(cleanup.bury(candidates, page.now, std::chrono::hours(24))).size(), 1u);
  CHECK_EQ(w.count("attachments"), "0");
  CHECK_EQ(w.count("tombstone_objects"), "0");
  CHECK(CHECK_OK(tombstones.objects_of(a.id)).empty());
  CHECK(CHECK_OK(tombstones.restore(a.id)) == Restored::kDone);
  check_same(CHECK_OK(w.rows.find_by_messages(std::vector<std::string>{"m1"}, "u1")).at(0).attachment, a);

  // and it goes in the end, without an object to be removed
  CHECK_EQ(CHECK_OK(cleanup.bury(candidates, page.now, std::chrono::hours(24))).size(), 1u);
  CHECK(CHECK_OK(tombstones.begin_purge(std::vector<Uuid>{a.id})).empty());
  CHECK_OK(tombstones.forget(std::vector<Uuid>{a.id}));
  CHECK_EQ(w.count("tombstones"), "0");
  CHECK_EQ(value(w.database, "SELECT count(*) FROM jobs WHERE kind = 'delete_object'"), "0");
}

void it_takes_no_room_in_any_quota() {
  World w;
  PgUsage usage(w.database);
  CHECK_OK(usage.begin());
  CHECK_OK(w.database.run_script("TRUNCATE usage_totals"));
  const auto taken = [&](const std::string& of) {
    return value(w.database, "SELECT bytes || ' ' || files FROM cloakroom_usage_of_" + of);
  };
  Attachment here = upload();
  here.dialog_id = "d1";
  put(w.rows, here);
  const Attachment a = w.elsewhere();
  w.elsewhere("m2", "d1");
  CHECK_EQ(taken("user('u1')"), "3 1");
  CHECK_EQ(taken("dialog('d1')"), "3 1");
  // a full dialog has a place for it all the same
  CHECK_OK(w.rows.link({.attachment_ids = {a.id},
                        .message_id = "m1",
                        .dialog_id = "d1",
                        .uploader_id = "u1",
                        .by_service = false,
                        .dialog_quota = {.bytes = 1, .files = 1}}));
  CHECK_OK(w.database.run_script("UPDATE attachments SET dialog_id = 'd2'"));
  CHECK_EQ(taken("dialog('d1')"), "0 0");
  CHECK_EQ(taken("dialog('d2')"), "3 1");
  CHECK(CHECK_OK(usage.recount()).empty());
  CHECK_OK(w.database.run_script("DELETE FROM attachments WHERE external_url IS NOT NULL"));
  CHECK_EQ(taken("user('u1')"), "3 1");
  w.elsewhere();
  CHECK_OK(w.database.run_script("TRUNCATE attachments CASCADE"));
  CHECK_EQ(taken("user('u1')"), "0 0");
  CHECK(CHECK_OK(usage.recount()).empty());
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      CASE(a_row_comes_back_as_it_was_written_by_every_question),
      CASE(it_is_linked_as_others_are),
      CASE(the_table_takes_no_halves_and_no_other_addresses),
      CASE(its_deletion_by_whatever_way_queues_no_object),
      CASE(quarantine_purges_nothing),
      CASE(nobodys_registration_makes_nobody_the_author),
      CASE(walks_over_bytes_pass_it_by),
      CASE(it_can_be_had_back_like_any_other),
      CASE(it_takes_no_room_in_any_quota),
  };
  return db::run("external", tests);
}

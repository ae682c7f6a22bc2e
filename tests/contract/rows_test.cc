// rows_test.cc — the port Rows on a real PostgreSQL: tickets, commit, reads, removal, members, and deletion by others.
#include "database.h"

#include <algorithm>
#include <map>

namespace {

using namespace db;
using std::chrono::seconds;

using World = Emptied;

std::vector<ObjectKey> keys_of(const std::vector<Attachment>& all) {
  std::vector<ObjectKey> keys;
  for (const auto& one : all) keys.push_back(CHECK_OK(ObjectKey::parse(one.key)));
  return keys;
}

const std::string kDeletionOf = "jobs WHERE kind = 'delete_object' AND run_at <= now() AND payload->>'key' = ";

void every_field_comes_back_as_it_was_written() {
  World w;
  auto a = upload();
  a.dialog_id = "d1";
  a.account_id = "";
  a.filename = "Ünï \"q\" \\ {x,NULL} %2F.jpg";
  a.size_bytes = 5'000'000'000'000;
  a.sha256.fill(0xfe);
  a.store = StoreKind::kS3;
  a.width = 1920;
  a.height = 1080;
  put(w.rows, a);
  const auto found = CHECK_OK(w.rows.find(a.id, std::nullopt));
  CHECK(found.has_value());
  const auto& b = found->attachment;
  CHECK(b.id == a.id && b.status == AttachmentStatus::kUploaded && b.uploader_id == a.uploader_id);
  CHECK(b.dialog_id == a.dialog_id && b.account_id == a.account_id && !b.message_id);
  CHECK_EQ(b.filename, a.filename);
  CHECK_EQ(b.mime_type, a.mime_type);
  CHECK_EQ(b.size_bytes, a.size_bytes);
  CHECK(b.sha256 == a.sha256 && b.store == a.store && b.width == a.width && b.height == a.height);
  CHECK_EQ(b.key, a.key);
  CHECK(b.created_at == a.created_at);  // to the microsecond
  CHECK_EQ(value(w.database, "SELECT extract(epoch FROM created_at)::numeric * 1000000 = " +
                                 std::to_string(a.created_at.time_since_epoch().count()) + " FROM attachments"),
           "true");
}

void absent_fields_come_back_absent() {
  World w;
  const auto a = put(w.rows, upload(std::nullopt));
  const auto b = CHECK_OK(w.rows.find(a.id, "u1"))->attachment;
  CHECK(!b.uploader_id && !b.dialog_id && !b.message_id && !b.account_id && !b.width && !b.height);
}

void an_unknown_id_finds_nothing() {
  World w;
  CHECK(!CHECK_OK(w.rows.find(new_id(), "u1")).has_value());
}

void ready_fails_without_the_tables() {
  World w;
  CHECK_OK(w.rows.ready());
  Database other(options(schema_name("_absent")));
  PgRows rows(other);
  CHECK_ERR(rows.ready(), Errc::kInternal);
}

void tickets_come_in_the_order_of_the_keys_and_wait_for_the_grace() {
  World w;
  std::vector<Attachment> all{upload(), upload(), upload()};
  std::reverse(all.begin(), all.end());
  const auto tickets = CHECK_OK(w.rows.plan_deletions(StoreKind::kS3, keys_of(all), seconds(100)));
  CHECK_EQ(tickets.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK_EQ(value(w.database,
                   "SELECT key || ' ' || store FROM deletion_tickets WHERE id = " + std::to_string(tickets[i].id)),
             all[i].key + " s3");
  }
  CHECK_EQ(w.count("deletion_tickets WHERE due_at BETWEEN now() + interval '90 s' AND now() + interval '100 s'"), "3");
}

void commit_writes_all_rows_and_takes_all_tickets() {
  World w;
  const std::vector<Attachment> all{upload(), upload(std::nullopt), upload("u2")};
  const auto tickets = CHECK_OK(w.rows.plan_deletions(StoreKind::kLocal, keys_of(all), seconds(100)));
  CHECK_OK(w.rows.commit_upload(all, tickets));
  CHECK_EQ(w.count("attachments"), "3");
  CHECK_EQ(w.count("deletion_tickets"), "0");
  CHECK(CHECK_OK(w.rows.find(all[2].id, std::nullopt))->attachment.uploader_id == "u2");
}

void commit_changes_nothing_when_one_ticket_was_taken() {
  World w;
  const std::vector<Attachment> all{upload(), upload()};
  const auto tickets = CHECK_OK(w.rows.plan_deletions(StoreKind::kLocal, keys_of(all), seconds(100)));
  CHECK_OK(w.database.run_script("DELETE FROM deletion_tickets WHERE id = " + std::to_string(tickets[1].id)));
  auto outcome = w.rows.commit_upload(all, tickets);
  CHECK(!outcome && outcome.error().code == Errc::kConflict && !outcome.error().say.empty());
  CHECK_EQ(w.count("attachments"), "0");
  CHECK_EQ(w.count("deletion_tickets"), "1");
}

void commit_changes_nothing_when_one_row_exists_already() {
  World w;
  const auto old = put(w.rows, upload());
  auto same_object = upload();
  same_object.key = old.key;
  auto same_id = upload();
  same_id.id = old.id;
  for (const auto& second : {same_object, same_id}) {
    const std::vector<Attachment> all{upload(), second};
    const auto tickets =
        CHECK_OK(w.rows.plan_deletions(StoreKind::kLocal, keys_of({upload(), upload()}), seconds(100)));
    const auto planned = w.count("deletion_tickets");
    CHECK_ERR(w.rows.commit_upload(all, tickets), Errc::kConflict);
    CHECK_EQ(w.count("attachments"), "1");
    CHECK_EQ(w.count("deletion_tickets"), planned);
  }
}

void hastened_deletions_are_due_at_once() {
  World w;
  const std::vector<Attachment> all{upload(), upload()};
  const auto tickets = CHECK_OK(w.rows.plan_deletions(StoreKind::kLocal, keys_of(all), seconds(100)));
  CHECK_OK(w.rows.hasten_deletions(std::span(tickets).first(1)));
  CHECK_EQ(w.count("deletion_tickets WHERE due_at <= now() AND key = '" + all[0].key + "'"), "1");
  CHECK_EQ(w.count("deletion_tickets WHERE due_at <= now() AND key = '" + all[1].key + "'"), "0");
}

void membership_is_of_the_rows_dialog_and_the_asking_user() {
  World w;
  auto a = upload();
  a.dialog_id = "d1";
  put(w.rows, a);
  const auto without_dialog = put(w.rows, upload());
  CHECK_OK(w.rows.replace_members("d1", std::vector<std::string>{"u2", "u3"}));
  CHECK_OK(w.rows.replace_members("d2", std::vector<std::string>{"u4"}));
  const std::map<std::string, bool> expected{{"u1", false}, {"u2", true}, {"u3", true}, {"u4", false}};
  for (const auto& [user, member] : expected) CHECK_EQ(CHECK_OK(w.rows.find(a.id, user))->caller_is_member, member);
  CHECK(!CHECK_OK(w.rows.find(a.id, std::nullopt))->caller_is_member);
  CHECK(!CHECK_OK(w.rows.find(without_dialog.id, "u2"))->caller_is_member);
}

void members_are_replaced_as_a_whole_and_twice_is_once() {
  World w;
  const auto members = [&] {
    return value(w.database,
                 "SELECT string_agg(user_id, ',' ORDER BY user_id) FROM dialog_members WHERE dialog_id = 'd'");
  };
  CHECK_OK(w.rows.replace_members("other", std::vector<std::string>{"x"}));
  CHECK_OK(w.rows.replace_members("d", std::vector<std::string>{"b", "a", "b"}));
  CHECK_EQ(members(), "a,b");
  CHECK_OK(w.rows.replace_members("d", std::vector<std::string>{"b", "c"}));
  CHECK_OK(w.rows.replace_members("d", std::vector<std::string>{"b", "c"}));
  CHECK_EQ(members(), "b,c");
  CHECK_OK(w.rows.replace_members("d", std::vector<std::string>{}));
  CHECK_EQ(members(), "null");
  CHECK_EQ(w.count("dialog_members"), "1");
}

void the_batch_read_is_ordered_by_message_then_time() {
  World w;
  std::vector<Attachment> all;
  for (int i = 0; i < 4; ++i) {
    auto a = upload();
    a.created_at -= seconds(i);  // newest first, so that the order of insertion is the wrong one
    all.push_back(put(w.rows, a));
  }
  const auto link = [&](int i, const char* message) {
    CHECK_OK(w.rows.link({.attachment_ids = {all[static_cast<std::size_t>(i)].id},
                          .message_id = message,
                          .dialog_id = {},
                          .uploader_id = "u1",
                          .by_service = false}));
  };
  link(0, "m2"), link(1, "m1"), link(2, "m1"), link(3, "m3");
  const auto found = CHECK_OK(w.rows.find_by_messages(std::vector<std::string>{"m2", "m1", "m1", "none"}, "u1"));
  CHECK_EQ(found.size(), 3u);
  CHECK(found[0].attachment.id == all[2].id && found[1].attachment.id == all[1].id &&
        found[2].attachment.id == all[0].id);
  CHECK(found[0].attachment.message_id == "m1" && found[2].attachment.message_id == "m2");
  CHECK(CHECK_OK(w.rows.find_by_messages(std::vector<std::string>{}, "u1")).empty());
}

void own_unlinked_uploads_come_newest_first_and_no_others() {
  World w;
  auto old = upload();
  old.created_at -= seconds(10);
  put(w.rows, old);
  const auto recent = put(w.rows, upload());
  const auto of_service = put(w.rows, upload(std::nullopt));
  put(w.rows, upload("u2"));
  const auto linked = put(w.rows, upload());
  CHECK_OK(w.rows.link({.attachment_ids = {linked.id}, .message_id = "m", .dialog_id = {}, .uploader_id = "u1"}));
  const auto mine = CHECK_OK(w.rows.find_unlinked("u1", 10));
  CHECK_EQ(mine.size(), 2u);
  CHECK(mine[0].id == recent.id && mine[1].id == old.id);
  CHECK_EQ(CHECK_OK(w.rows.find_unlinked("u1", 1)).size(), 1u);
  const auto services = CHECK_OK(w.rows.find_unlinked(std::nullopt, 10));
  CHECK(services.size() == 1 && services[0].id == of_service.id);
}

void only_an_unlinked_row_is_removed_and_its_object_is_queued() {
  World w;
  const auto a = put(w.rows, upload()), b = put(w.rows, upload());
  CHECK_OK(w.rows.link({.attachment_ids = {b.id}, .message_id = "m", .dialog_id = {}, .uploader_id = "u1"}));
  CHECK(CHECK_OK(w.rows.remove_unlinked(a.id)));
  CHECK(!CHECK_OK(w.rows.remove_unlinked(a.id)));
  CHECK(!CHECK_OK(w.rows.remove_unlinked(b.id)));
  CHECK_EQ(w.count(kDeletionOf + "'" + a.key + "'"), "1");
  CHECK_EQ(w.count("jobs"), "1");
}

void removing_a_message_removes_its_rows_and_queues_their_objects() {
  World w;
  const auto a = put(w.rows, upload()), b = put(w.rows, upload()), c = put(w.rows, upload());
  CHECK_OK(w.rows.link({.attachment_ids = {a.id, b.id}, .message_id = "m", .dialog_id = {}, .uploader_id = "u1"}));
  CHECK_EQ(CHECK_OK(w.rows.remove_message("m")), 2u);
  CHECK_EQ(CHECK_OK(w.rows.remove_message("m")), 0u);
  CHECK_EQ(w.count("attachments"), "1");
  CHECK_EQ(w.count("jobs"), "2");
  CHECK_EQ(w.count(kDeletionOf + "'" + c.key + "'"), "0");
}

void deletion_by_a_role_that_may_only_delete_queues_every_object() {
  World w;
  const auto a = put(w.rows, upload()), b = put(w.rows, upload());
  const std::string role = "\"" + schema_name("_app") + "\"", schema = w.database.schema_identifier();
  CHECK_OK(w.database.run_script("CREATE ROLE " + role + "; GRANT USAGE ON SCHEMA " + schema + " TO " + role +
                                 "; GRANT SELECT, DELETE ON attachments TO " + role));
  // Its own search_path does not reach the trigger, nor does a table of its own that is called like ours.
  auto outcome = w.database.run_script("SET ROLE " + role +
                                       "; SET search_path TO pg_temp; CREATE TEMP TABLE jobs (x int); DELETE FROM " +
                                       schema + ".attachments; DROP TABLE jobs");
  CHECK_OK(w.database.run_script("RESET ROLE; SET search_path TO " + schema + ", pg_temp; DROP OWNED BY " + role +
                                 "; DROP ROLE " + role));
  CHECK_OK(outcome);
  CHECK_EQ(w.count("jobs"), "2");
  CHECK_EQ(w.count(kDeletionOf + "'" + a.key + "'"), "1");
  CHECK_EQ(w.count(kDeletionOf + "'" + b.key + "'"), "1");
}

void a_cascade_from_the_applications_table_queues_every_object() {
  World w;
  CHECK_OK(w.database.run_script(
      "CREATE TABLE app_message (id text PRIMARY KEY); INSERT INTO app_message VALUES ('m1'), ('m2');"
      "ALTER TABLE attachments ADD CONSTRAINT app_fk FOREIGN KEY (message_id)"
      " REFERENCES app_message ON DELETE CASCADE;"
      "CREATE TABLE app_avatar (file uuid REFERENCES attachments ON DELETE CASCADE)"));
  const auto a = put(w.rows, upload()), b = put(w.rows, upload()), c = put(w.rows, upload());
  CHECK_OK(w.rows.link({.attachment_ids = {a.id, b.id}, .message_id = "m1", .dialog_id = {}, .uploader_id = "u1"}));
  CHECK_OK(w.rows.link({.attachment_ids = {c.id}, .message_id = "m2", .dialog_id = {}, .uploader_id = "u1"}));
  CHECK_OK(w.database.run_script("INSERT INTO app_avatar SELECT id FROM attachments"));
  CHECK_OK(w.database.run_script("DELETE FROM app_message WHERE id = 'm1'"));
  const auto queued = w.count("jobs"), left = w.count("app_avatar");
  CHECK_OK(w.database.run_script(
      "DROP TABLE app_avatar; ALTER TABLE attachments DROP CONSTRAINT app_fk; DROP TABLE app_message"));
  CHECK_EQ(queued, "2");
  CHECK_EQ(left, "1");
}

void truncate_queues_every_object_and_a_rolled_back_delete_none() {
  World w;
  const auto a = put(w.rows, upload());
  put(w.rows, upload());
  CHECK_OK(w.database.run_script("BEGIN; DELETE FROM attachments; ROLLBACK"));
  CHECK_EQ(w.count("jobs"), "0");
  CHECK_OK(w.database.run_script("TRUNCATE attachments CASCADE"));
  CHECK_EQ(w.count("jobs"), "2");
  CHECK_EQ(w.count(kDeletionOf + "'" + a.key + "'"), "1");
}

void errors_hold_no_values_and_bad_text_is_the_clients_fault() {
  World w;
  auto bad = w.rows.remove_message("secret\xff\xfe");
  CHECK(!bad && bad.error().code == Errc::kInvalid);
  CHECK(bad.error().detail.find("secret") == std::string::npos);
  const auto old = put(w.rows, upload());
  auto again = old;
  again.id = new_id();
  auto twice = w.rows.commit_upload(std::vector<Attachment>{again}, {});
  CHECK(!twice && twice.error().detail.find(old.key) == std::string::npos);
  CHECK(twice.error().detail.find("attachments_one_row_an_object") != std::string::npos);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      CASE(every_field_comes_back_as_it_was_written),
      CASE(absent_fields_come_back_absent),
      CASE(an_unknown_id_finds_nothing),
      CASE(ready_fails_without_the_tables),
      CASE(tickets_come_in_the_order_of_the_keys_and_wait_for_the_grace),
      CASE(commit_writes_all_rows_and_takes_all_tickets),
      CASE(commit_changes_nothing_when_one_ticket_was_taken),
      CASE(commit_changes_nothing_when_one_row_exists_already),
      CASE(hastened_deletions_are_due_at_once),
      CASE(membership_is_of_the_rows_dialog_and_the_asking_user),
      CASE(members_are_replaced_as_a_whole_and_twice_is_once),
      CASE(the_batch_read_is_ordered_by_message_then_time),
      CASE(own_unlinked_uploads_come_newest_first_and_no_others),
      CASE(only_an_unlinked_row_is_removed_and_its_object_is_queued),
      CASE(removing_a_message_removes_its_rows_and_queues_their_objects),
      CASE(deletion_by_a_role_that_may_only_delete_queues_every_object),
      CASE(a_cascade_from_the_applications_table_queues_every_object),
      CASE(truncate_queues_every_object_and_a_rolled_back_delete_none),
      CASE(errors_hold_no_values_and_bad_text_is_the_clients_fault),
  };
  return db::run("rows", tests);
}

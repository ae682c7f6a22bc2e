// backfill_book_test.cc — the book of what was taken over, and pages of somebody else's table, on a real PostgreSQL.
#include "db/backfill_book.h"

#include <string>

#include "contract/database.h"
#include "db/legacy_query.h"

using namespace cloakroom;

namespace {

struct World : db::Emptied {
  World() { CHECK_OK(database.run_script("TRUNCATE backfilled, backfill_runs")); }
  PgBackfillBook book{database};

  static Attachment linked(const std::string& message) {
    Attachment a = db::upload();
    a.status = AttachmentStatus::kLinked;
    a.message_id = message;
    a.dialog_id = "d";
    a.created_at = CHECK_OK(parse_iso8601("2019-05-06T07:08:09Z"));
    return a;
  }
  std::vector<DeletionTicket> ticket(const Attachment& a) {
    const std::vector<ObjectKey> keys{CHECK_OK(ObjectKey::parse(a.key))};
    return CHECK_OK(rows.plan_deletions(a.store, keys, std::chrono::seconds(600)));
  }
};

void a_commit_is_all_of_it() {
  World w;
  Attachment a = World::linked("m1");
  a.wants_variants = true;
  CHECK_OK(w.book.commit("s", "a/b.png", a, w.ticket(a)));
  const auto found = CHECK_OK(w.rows.find(a.id, std::nullopt));
  CHECK(found && found->attachment.status == AttachmentStatus::kLinked);
  CHECK(found->attachment.message_id == "m1" && found->attachment.dialog_id == "d");
  CHECK(found->attachment.created_at == a.created_at);
  CHECK_EQ(w.count("deletion_tickets"), "0");
  CHECK_EQ(w.count("jobs WHERE kind = 'make_variants'"), "1");
  CHECK_EQ(w.count("attachments WHERE linked_at > now() - interval '1 minute'"), "1");
  CHECK(CHECK_OK(w.book.ids_of("a/b.png", 5)) == std::vector<Uuid>{a.id});
}

void the_second_of_two_leaves_nothing() {
  World w;
  const Attachment a = World::linked("m1"), b = World::linked("m1");
  CHECK_OK(w.book.commit("s", "p", a, w.ticket(a)));
  CHECK_ERR(w.book.commit("s", "p", b, w.ticket(b)), Errc::kConflict);
  CHECK_EQ(w.count("attachments"), "1");
  CHECK_EQ(w.count("deletion_tickets"), "1");  // its bytes go
  CHECK_OK(w.book.commit("other source", "p", b, {}));
  CHECK_EQ(CHECK_OK(w.book.ids_of("p", 5)).size(), 2u);
  CHECK_EQ(CHECK_OK(w.book.ids_of("p", 1)).size(), 1u);
}

void a_ticket_or_an_object_that_is_gone_or_taken_is_a_conflict() {
  World w;
  const Attachment a = World::linked("m1");
  CHECK_ERR(w.book.commit("s", "p", a, std::vector<DeletionTicket>{{123456789}}), Errc::kConflict);
  CHECK_OK(w.book.commit("s", "p", a, {}));
  Attachment same = World::linked("m2");
  same.key = a.key;
  CHECK_ERR(w.book.commit("s", "p", same, {}), Errc::kConflict);
  CHECK_EQ(w.count("backfilled"), "1");
}

void the_book_outlives_the_attachment() {
  World w;
  const Attachment a = World::linked("m1");
  CHECK_OK(w.book.commit("s", "p", a, {}));
  CHECK_OK(w.rows.remove_message("m1"));
  const std::vector<MessagePath> asked{{"m1", "p"}, {"m1", "q"}, {"m2", "p"}};
  CHECK(CHECK_OK(w.book.taken("s", asked)) == (std::set<MessagePath>{{"m1", "p"}}));
  CHECK(CHECK_OK(w.book.taken("t", asked)).empty());
  CHECK(CHECK_OK(w.book.taken("s", {})).empty());
  CHECK_EQ(CHECK_OK(w.book.ids_of("p", 5)).size(), 1u);
}

void whoever_has_an_object_is_known() {
  World w;
  const Attachment a = db::put(w.rows, db::upload());
  const std::vector<ObjectKey> promised{CHECK_OK(ObjectKey::parse("ticket"))};
  CHECK_OK(w.rows.plan_deletions(StoreKind::kLocal, promised, std::chrono::seconds(60)));
  CHECK_OK(w.database.run_script(
      "INSERT INTO jobs (kind, payload) VALUES ('delete_object', '{\"store\": \"local\", \"key\": "
      "\"job\"}'), ('delete_object', '{\"store\": \"s3\", \"key\": \"elsewhere\"}')"));
  CHECK_OK(
      w.database.run_script("INSERT INTO moved_sources (store, key, row_key, size_bytes, remove_after)"
                            " VALUES ('local', 'moved', 'elsewhere', 1, now() + interval '1 hour');"
                            "INSERT INTO copies (attachment_id, store, key, size_bytes, copied_at)"
                            " SELECT id, 'local', 'copy', 1, now() FROM attachments"));
  const std::vector<std::string> keys{a.key, "ticket", "job", "moved", "copy", "elsewhere", "nobody"};
  const auto owners = CHECK_OK(w.book.owners(StoreKind::kLocal, keys));
  CHECK_EQ(owners.size(), 5u);
  CHECK(owners.at("moved") == ObjectOwner::kRow && owners.at("copy") == ObjectOwner::kRow);
  CHECK(owners.at(a.key) == ObjectOwner::kRow && owners.at("ticket") == ObjectOwner::kPromise);
  CHECK(owners.at("job") == ObjectOwner::kPromise);
}

void a_run_is_gone_on_with_only_over_the_same_mapping() {
  World w;
  CHECK(!CHECK_OK(w.book.run_of("s", "f1")));
  BackfillRun run{.position = "42", .totals = {.rows = 5, .taken = 4, .bytes = 30, .already = 2, .failed = 1}};
  CHECK_OK(w.book.keep_run("s", "f1", run));
  const auto found = CHECK_OK(w.book.run_of("s", "f1"));
  CHECK(found && found->position == "42" && found->totals.bytes == 30 && found->totals.failed == 1);
  CHECK(!found->is_finished && found->totals.rows == 5 && found->totals.taken == 4 && found->totals.already == 2);
  CHECK(!CHECK_OK(w.book.run_of("s", "f2")));
  run.is_finished = true;
  CHECK_OK(w.book.keep_run("s", "f2", run));
  CHECK(CHECK_OK(w.book.run_of("s", "f2"))->is_finished);
  CHECK_EQ(w.count("backfill_runs"), "1");
}

// Positions and documents of all rows, by pages.
std::string pages(Database& database, const BackfillMapping::Query& query, std::size_t most) {
  LegacyQuery rows(database, query);
  std::string out, position;
  while (true) {
    const auto page = CHECK_OK(rows.after(position, most));
    if (page.empty()) return out;
    for (const LegacyRow& row : page) {
      out += row.position + " " + (row.fields ? dump_json(row.fields) : "(" + row.trouble + ")") + "\n";
    }
    position = page.back().position;
  }
}

void a_query_is_walked_by_its_key_whatever_type_it_has() {
  World w;
  CHECK_OK(w.database.run_script(
      "DROP TABLE IF EXISTS old; CREATE TABLE old (id bigint, name text, at timestamptz, files json);"
      "INSERT INTO old SELECT i, 'n' || i, '2020-01-01 01:00:00+01', '[{\"url\": \"a\\u0000\"}]' FROM "
      "generate_series(9, 11) i;"
      "UPDATE old SET files = '[1]' WHERE id <> 10;"
      "INSERT INTO old SELECT 12, repeat('x', 300000), NULL, NULL"));
  for (std::size_t most = 1; most < 6; ++most) {
    CHECK_EQ(pages(w.database,
                   {.database_env = {}, .schema = {}, .sql = "SELECT id, at, files, name FROM old", .key = "id"}, most),
             "9 {\"id\":9,\"at\":\"2020-01-01T00:00:00+00:00\",\"files\":[1],\"name\":\"n9\"}\n"
             "10 (its JSON cannot be read)\n"
             "11 {\"id\":11,\"at\":\"2020-01-01T00:00:00+00:00\",\"files\":[1],\"name\":\"n11\"}\n"
             "12 (the row is larger than 262144 bytes)\n");
  }
  CHECK_EQ(pages(w.database,
                 {.database_env = {}, .schema = {}, .sql = "SELECT name FROM old WHERE id < 12", .key = "name"}, 2),
           "n10 {\"name\":\"n10\"}\nn11 {\"name\":\"n11\"}\nn9 {\"name\":\"n9\"}\n");
  const BackfillMapping::Query none{
      .database_env = {}, .schema = {}, .sql = "SELECT id FROM old WHERE false", .key = "id"};
  CHECK_EQ(pages(w.database, none, 2), "");
  LegacyQuery all(w.database, none);
  CHECK_EQ(CHECK_OK(all.left("")).count, 0u);
  const BackfillMapping::Query some{.database_env = {}, .schema = {}, .sql = "SELECT id FROM old", .key = "id"};
  LegacyQuery counted(w.database, some);
  CHECK_EQ(CHECK_OK(counted.left("10")).count, 2u);
}

std::string positions(Database& database, const std::string& sql, std::size_t most) {
  const BackfillMapping::Query query{.database_env = {}, .schema = {}, .sql = sql, .key = "k"};
  LegacyQuery rows(database, query);
  std::string out, position;
  for (int page = 0; page < 20; ++page) {
    const auto found = CHECK_OK(rows.after(position, most));
    if (found.empty()) return out;
    for (const LegacyRow& row : found) out += row.position + " ";
    position = found.back().position;
  }
  return out + "and on";
}

void a_key_with_a_length_is_not_cut_off() {
  World w;
  for (const std::size_t most : {1u, 2u, 3u, 4u}) {
    CHECK_EQ(positions(w.database, "SELECT v::char(4) AS k FROM (VALUES ('aa'), ('ab'), ('abcd')) t (v)", most),
             "aa ab abcd ");
    CHECK_EQ(positions(w.database, "SELECT v::bit(4) AS k FROM (VALUES ('0101'), ('0110'), ('1000')) t (v)", most),
             "0101 0110 1000 ");
  }
}

void a_key_that_is_not_unique_or_null_somewhere_is_refused() {
  World w;
  const auto first_page = [&](const std::string& values, std::size_t most) {
    const BackfillMapping::Query query{
        .database_env = {}, .schema = {}, .sql = "SELECT * FROM (VALUES " + values + ") t (k)", .key = "k"};
    LegacyQuery rows(w.database, query);
    return rows.after("", most);
  };
  CHECK_ERR(first_page("(1), (2), (2), (3)", 4), Errc::kInvalid);
  CHECK_ERR(first_page("(1), (2), (2), (3)", 2), Errc::kInvalid);  // the second one is on the next page
  CHECK_EQ(CHECK_OK(first_page("(1), (2), (3), (3)", 2)).size(), 2u);
  CHECK_ERR(first_page("(1), (2), (3), (NULL)", 2), Errc::kInvalid);
}

void the_old_database_is_not_written_to() {
  World w;
  Database session(db::options());
  const BackfillMapping::Query writing{
      .database_env = {}, .schema = {}, .sql = "SELECT setval('deletion_tickets_id_seq', 1) AS id", .key = "id"};
  LegacyQuery rows(session, writing);
  CHECK_ERR(rows.after("", 5), Errc::kDatabase);  // read-only: SQLSTATE 25006
  const BackfillMapping::Query wrong{.database_env = {}, .schema = {}, .sql = "SELECT x FROM nowhere", .key = "x"};
  LegacyQuery bad(session, wrong);
  CHECK_ERR(bad.after("", 5), Errc::kInternal);
  const BackfillMapping::Query null{.database_env = {}, .schema = {}, .sql = "SELECT NULL::int AS id", .key = "id"};
  LegacyQuery keyless(session, null);
  CHECK_ERR(keyless.after("", 5), Errc::kInvalid);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      CASE(a_commit_is_all_of_it),
      CASE(the_second_of_two_leaves_nothing),
      CASE(a_ticket_or_an_object_that_is_gone_or_taken_is_a_conflict),
      CASE(the_book_outlives_the_attachment),
      CASE(whoever_has_an_object_is_known),
      CASE(a_run_is_gone_on_with_only_over_the_same_mapping),
      CASE(a_query_is_walked_by_its_key_whatever_type_it_has),
      CASE(a_key_with_a_length_is_not_cut_off),
      CASE(a_key_that_is_not_unique_or_null_somewhere_is_refused),
      CASE(the_old_database_is_not_written_to),
  };
  return db::run("backfill_book", tests);
}

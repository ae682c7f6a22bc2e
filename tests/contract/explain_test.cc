// explain_test.cc — with a million rows the batch read and the stale scan read indexes: EXPLAIN of what is in use.
#include <string>

#include "database.h"
#include "db/cleanup.h"

namespace {

using namespace db;

// 990,000 linked rows of 247,500 messages and 10,000 that nobody claimed, as old and as new as the others.
void fill(Database& database) {
  CHECK_OK(database.run_script(
      "SET statement_timeout = 0; SET synchronous_commit = off;"
      "INSERT INTO attachments (id, status, uploader_id, dialog_id, message_id, filename, mime_type, size_bytes, "
      "sha256, store,"
      " key, created_at)"
      " SELECT lpad(to_hex(n), 32, '0')::uuid, CASE WHEN n % 100 = 0 THEN 'uploaded' ELSE 'linked' END, 'u' || n % "
      "5000,"
      " 'd' || n % 20000, CASE WHEN n % 100 <> 0 THEN 'm' || n / 4 END, 'file.jpg', 'image/jpeg', 20000,"
      " sha256(int8send(n)), 'local', lpad(to_hex(n), 32, '0'), now() - (1000000 - n) * interval '1 second'"
      " FROM generate_series(1::bigint, 1000000) n;"
      "INSERT INTO dialog_members SELECT 'd' || n / 5, 'u' || n % 5000 FROM generate_series(1, 100000) n ON CONFLICT "
      "DO NOTHING;"
      "ANALYZE attachments; ANALYZE dialog_members"));
}

std::string plan(Database& database, const Statement& statement, const std::string& mode,
                 const std::string& arguments) {
  CHECK_OK(
      database.run_script("SET plan_cache_mode = " + mode + "; DEALLOCATE ALL; PREPARE question AS " + statement.sql));
  const auto set = CHECK_OK(database.run_once("EXPLAIN EXECUTE question (" + arguments + ")", Params{}));
  std::string text;
  for (int row = 0; row < set.rows(); ++row)
    text += std::string(set.text(row, 0).substr(0, 160)) + "\n";  // 500 ids are long
  return text;
}

void check_plan(const std::string& text, const std::string& index) {
  std::printf("%s\n", text.c_str());
  CHECK(text.find(index) != std::string::npos);
  CHECK(text.find("Seq Scan") == std::string::npos);
}

struct World {
  Database database{options()};
};

void the_batch_read_of_a_page_of_messages_uses_the_index_of_messages() {
  World w;
  CHECK_EQ(value(w.database, "SELECT count(*) FROM attachments"), "1000000");
  for (const std::string mode : {"force_generic_plan", "force_custom_plan"}) {  // the server may choose either
    check_plan(plan(w.database, kFindByMessages, mode,
                    "ARRAY['m7','m14','m21','m28','m35','m42','m49','m56','m63','m70'], 'u1'"),
               "attachments_by_message");
  }
}

void the_batch_read_of_the_most_messages_allowed_uses_it_too() {
  World w;
  std::string ids;
  for (int n = 0; n < 500; ++n) ids += (n ? "," : "") + ("'m" + std::to_string(n * 31)) + "'";
  for (const std::string mode : {"force_generic_plan", "force_custom_plan"}) {
    check_plan(plan(w.database, kFindByMessages, mode, "ARRAY[" + ids + "], 'u1'"), "attachments_by_message");
  }
}

void the_stale_scan_uses_the_index_of_unlinked_rows_and_does_not_sort() {
  World w;
  for (const std::string mode : {"force_generic_plan", "force_custom_plan"}) {
    for (const std::string age : {"24", "264"}) {  // hours
      const auto text = plan(w.database, kFindStale, mode, age + ", NULL, '00000000-0000-0000-0000-000000000000', 500");
      check_plan(text, "attachments_stale");
      CHECK(text.find("Sort") == std::string::npos);
    }
  }
}

void the_statements_answer_what_the_plans_promise() {
  World w;
  PgRows rows(w.database);
  const std::vector<std::string> messages{"m7", "m25", "m100000"};
  CHECK_EQ(CHECK_OK(rows.find_by_messages(messages, "u1")).size(), 10u);  // 4 + 3 + 3: every hundredth row is unlinked
  const auto stale = CHECK_OK(PgCleanup(w.database, "").stale(std::chrono::hours(24), std::nullopt, 500)).files;
  CHECK_EQ(stale.size(), 500u);
  CHECK(stale.front().created_at < stale.back().created_at);
  const auto more = CHECK_OK(PgCleanup(w.database, "").stale(std::chrono::hours(24), stale.back(), 500)).files;
  CHECK(more.front().created_at > stale.back().created_at);
}

// A test of its own, so that its time is seen.
void a_million_rows_are_written() {
  World w;
  fill(w.database);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      CASE(a_million_rows_are_written),
      CASE(the_batch_read_of_a_page_of_messages_uses_the_index_of_messages),
      CASE(the_batch_read_of_the_most_messages_allowed_uses_it_too),
      CASE(the_stale_scan_uses_the_index_of_unlinked_rows_and_does_not_sort),
      CASE(the_statements_answer_what_the_plans_promise),
  };
  return db::run("explain", tests);
}

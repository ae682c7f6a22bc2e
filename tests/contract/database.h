// database.h — a schema of its own for each run of a test program, in the database that DATABASE_URL names.
//
// Use      int main() { return db::run("thing", tests); }: makes the schema, migrates it, runs, drops it.
//          Without DATABASE_URL the program fails: a test that did not run must not look like one that passed.
//          Migrations are read from ./sql, or from the folder CLOAKROOM_SQL names.
#pragma once

#include <unistd.h>

#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "db/attachments.h"
#include "db/migrate.h"
#include "db/pg.h"

// cmocka's macros come last
#include "check.h"

namespace db {

using namespace cloakroom;

inline std::string env(const char* name, const char* otherwise) {
  const char* value = std::getenv(name);
  return value ? value : otherwise;
}

inline std::string sql_folder() {
  return env("CLOAKROOM_SQL", "sql");
}
inline std::string schema_name(const std::string& suffix = "") {
  return "test_" + std::to_string(getpid()) + suffix;
}

inline DatabaseOptions options(const std::string& schema = schema_name()) {
  return {.url = env("DATABASE_URL", ""), .schema = schema, .application_name = "cloakroom-test"};
}

// The first column of the first row, as text.
inline std::string value(Database& database, const std::string& sql) {
  auto set = CHECK_OK(database.run_once("SELECT (" + sql + ")::text", Params{}));
  return set.is_null(0, 0) ? "null" : std::string(set.text(0, 0));
}

inline void clear(Database& database) {
  CHECK_OK(database.run_script(
      "TRUNCATE attachments, variants, copies, dialog_members, dialogs; TRUNCATE jobs, dead_jobs, moved_sources, "
      "deletion_tickets, tombstones CASCADE"));
}

// The database as most tests begin with it: empty tables, and the rows' port.
struct Emptied {
  Database database{options()};
  PgRows rows{database};
  Emptied() { clear(database); }
  std::string count(const std::string& from) { return value(database, "SELECT count(*) FROM " + from); }
};

inline Uuid new_id() {
  return make_uuid7(system_now());
}

inline Attachment upload(const std::optional<std::string>& uploader = "u1") {
  Attachment a;
  a.id = new_id();
  a.uploader_id = uploader;
  a.filename = "a.png";
  a.mime_type = "image/png";
  a.size_bytes = 3;
  a.store = StoreKind::kLocal;
  a.key = "ab/" + to_hex(a.id);
  a.created_at = system_now();
  return a;
}

// As an upload does it: ticket, bytes, commit.
inline Attachment put(PgRows& rows, Attachment a) {
  const std::vector<ObjectKey> keys{CHECK_OK(ObjectKey::parse(a.key))};
  const auto tickets = CHECK_OK(rows.plan_deletions(a.store, keys, std::chrono::seconds(600)));
  CHECK_OK(rows.commit_upload(std::vector<Attachment>{a}, tickets));
  return a;
}

template <std::size_t N>
int run(const char* name, const CMUnitTest (&tests)[N]) {
  if (env("DATABASE_URL", "").empty()) {
    std::fprintf(stderr, "%s: DATABASE_URL is not set: start one with tests/servers/postgres\n", name);
    return 1;
  }
  Database database(options());
  if (auto made = migrate(database, sql_folder()); !made) {
    std::fprintf(stderr, "%s: %s\n", name, made.error().detail.c_str());
    return 1;
  }
  const int failed = cmocka_run_group_tests_name(name, tests, nullptr, nullptr);
  database.begin_request();
  if (!database.run_script("DROP SCHEMA " + database.schema_identifier() + " CASCADE")) return 1;
  return failed;
}

}  // namespace db

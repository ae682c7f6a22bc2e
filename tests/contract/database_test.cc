// database_test.cc — the connection's life (made late, looked at, remade, never in a transaction) and the migrations.
#include <dirent.h>

#include <chrono>
#include <fstream>
#include <thread>

#include "database.h"

namespace {

using namespace db;

std::string pid_of(Database& database) {
  return value(database, "SELECT pg_backend_pid()");
}

// From a second connection, and only when the server says that the session is gone.
void kill_session(const std::string& pid) {
  Database killer(options());
  CHECK_EQ(value(killer, "SELECT pg_terminate_backend(" + pid + ", 5000)"), "true");
}

struct Folder {
  std::string path;
  Folder() {
    std::string name = "/tmp/clk-migrations.XXXXXX";
    CHECK(::mkdtemp(name.data()) != nullptr);
    path = name;
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    for (const auto& file : files_) ::unlink((path + "/" + file).c_str());
    ::rmdir(path.c_str());
  }
  void add(const std::string& file, const std::string& text) {
    std::ofstream(path + "/" + file) << text;
    files_.push_back(file);
  }

 private:
  std::vector<std::string> files_;
};

// A schema for one test.
struct Schema {
  Database database;
  explicit Schema(const std::string& suffix) : database(options(schema_name(suffix))) {}
  ~Schema() {
    database.begin_request();
    [[maybe_unused]] auto gone =
        database.run_script("DROP SCHEMA IF EXISTS " + database.schema_identifier() + " CASCADE");
  }
};

void nothing_is_connected_before_the_first_statement() {
  Database database({.url = "postgresql:///x?host=/nonexistent", .schema = "x"});
  database.begin_request();
  CHECK_EQ(database.connection_number(), 0u);
}

void a_server_that_is_away_is_a_passing_error_without_the_password() {
  for (const std::string url : {"postgresql://u:sesame@127.0.0.1:1/x", "postgresql://u:sesame@127.0.0.1:sesame/x",
                                "host=/nonexistent password=sesame", "nonsense sesame",
                                "postgresql://u:a@sesame@127.0.0.1:1/x", "postgresql://u:sesame/a@127.0.0.1:1/x"}) {
    Database database({.url = url, .schema = "x"});
    auto outcome = database.run_once("SELECT 1", Params{});
    CHECK(!outcome && outcome.error().code == Errc::kDatabase && outcome.error().retryable);
    CHECK(outcome.error().detail.find("sesame") == std::string::npos);
  }
}

void the_session_has_its_schema_and_its_time_limit() {
  Database database(options("Odd \"name\""));
  CHECK_EQ(value(database, "SELECT current_setting('search_path')"), "\"Odd \"\"name\"\"\", pg_temp");
  CHECK_EQ(value(database, "SELECT current_setting('statement_timeout')"), "15s");
  CHECK_EQ(value(database, "SELECT current_setting('application_name')"), "cloakroom-test");
}

void a_connection_lost_while_idle_is_replaced_by_the_next_request() {
  Database database(options());
  PgRows rows(database);
  CHECK_OK(rows.ready());
  for (int i = 0; i < 20; ++i) {
    kill_session(pid_of(database));
    database.begin_request();
    CHECK_OK(rows.ready());  // a prepared statement: prepared again
  }
  CHECK_EQ(database.connection_number(), 21u);
}

void a_connection_lost_within_a_request_fails_it_and_only_it() {
  Database database(options());
  database.begin_request();
  kill_session(pid_of(database));
  auto outcome = database.run_once("SELECT 1", Params{});
  CHECK(!outcome && outcome.error().code == Errc::kDatabase && outcome.error().retryable);
  database.begin_request();
  CHECK_OK(database.run_once("SELECT 1", Params{}));
}

void a_connection_lost_within_a_transaction_is_not_replaced_until_its_end() {
  Database database(options());
  CHECK_OK(database.begin());
  kill_session(pid_of(database));
  database.begin_request();
  for (int i = 0; i < 3; ++i) CHECK_ERR(database.run_once("SELECT 1", Params{}), Errc::kDatabase);
  CHECK_EQ(database.connection_number(), 1u);
  database.rollback();
  CHECK_OK(database.run_once("SELECT 1", Params{}));
}

void a_statement_that_takes_too_long_is_a_passing_error() {
  Database database(options());
  CHECK_OK(database.run_script("SET statement_timeout = '50ms'"));
  auto outcome = database.run_once("SELECT pg_sleep(5)", Params{});
  CHECK(!outcome && outcome.error().code == Errc::kDatabase && outcome.error().retryable);
  CHECK_OK(database.run_once("SELECT 1", Params{}));
}

void migrating_twice_does_nothing_the_second_time() {
  Schema s("_twice");
  CHECK_EQ(CHECK_OK(schema_version(s.database)), 0);
  const auto first = CHECK_OK(migrate(s.database, sql_folder()));
  CHECK(first.from_version == 0 && first.to_version > 0 && !first.applied.empty());
  const auto second = CHECK_OK(migrate(s.database, sql_folder()));
  CHECK(second.from_version == first.to_version && second.applied.empty());
  CHECK_EQ(CHECK_OK(schema_version(s.database)), first.to_version);
  CHECK_EQ(value(s.database, "SELECT current_setting('statement_timeout')"), "15s");
}

void two_migrations_at_once_apply_each_file_once() {
  Schema s("_race");
  std::vector<std::thread> threads;
  std::vector<int> applied(4, -1);
  for (auto& one : applied) {
    threads.emplace_back([&one, name = s.database.schema()] {
      Database database(options(name));
      if (auto report = migrate(database, sql_folder())) one = static_cast<int>(report->applied.size());
    });
  }
  for (auto& thread : threads) thread.join();
  int total = 0;
  for (const int one : applied) {
    CHECK(one >= 0);
    total += one;
  }
  CHECK_EQ(total, CHECK_OK(schema_version(s.database)));
}

void a_newer_database_is_refused_with_both_versions() {
  Schema s("_newer");
  Folder files;
  files.add("001_a.sql", "CREATE TABLE a ();");
  files.add("002_b.sql", "CREATE TABLE b ();");
  CHECK_OK(migrate(s.database, files.path));
  CHECK_OK(s.database.run_script("INSERT INTO schema_version (version, name) VALUES (7, '007_x.sql')"));
  auto outcome = migrate(s.database, files.path);
  CHECK(!outcome);
  CHECK_EQ(outcome.error().say, "the database is at version 7, this program knows 1..2: install the newer cloakroom");
}

void a_failing_file_leaves_nothing_and_is_applied_later() {
  Schema s("_failing");
  Folder files;
  files.add("001_a.sql", "CREATE TABLE a ();");
  files.add("002_b.sql", "CREATE TABLE b (); SELECT 1/0;");
  auto outcome = migrate(s.database, files.path);
  CHECK(!outcome && outcome.error().detail.find("002_b.sql") != std::string::npos);
  CHECK_EQ(CHECK_OK(schema_version(s.database)), 1);
  CHECK_EQ(value(s.database, "SELECT to_regclass('b')"), "null");
  files.add("002_b.sql", "CREATE TABLE b ();");
  CHECK_EQ(CHECK_OK(migrate(s.database, files.path)).applied.size(), 1u);
}

void a_folder_with_a_gap_or_a_double_or_nothing_is_refused() {
  Schema s("_gap");
  Folder files;
  CHECK_ERR(migrate(s.database, files.path), Errc::kInvalid);
  files.add("002_b.sql", "SELECT 1;");
  CHECK_ERR(migrate(s.database, files.path), Errc::kInvalid);
  files.add("001_a.sql", "SELECT 1;");
  files.add("001_c.sql", "SELECT 1;");
  CHECK_ERR(migrate(s.database, files.path), Errc::kInvalid);
  CHECK_ERR(migrate(s.database, files.path + "/none"), Errc::kNotFound);
}

void a_schema_made_by_the_administrator_needs_no_right_to_create_one() {
  const std::string name = schema_name("_given"), role = "\"" + name + "\"";
  Database admin(options(name));
  CHECK_OK(admin.run_script("CREATE ROLE " + role + " LOGIN; CREATE SCHEMA " + role + " AUTHORIZATION " + role));
  std::string url = options().url;
  auto mine = options(name);
  mine.url = url + (url.find('?') == std::string::npos ? "?user=" : "&user=") + name;
  Database database(mine);
  auto outcome = migrate(database, sql_folder());
  const auto who = value(database, "SELECT current_user");
  CHECK_OK(admin.run_script("DROP SCHEMA " + role + " CASCADE; DROP OWNED BY " + role + "; DROP ROLE " + role));
  CHECK_OK(outcome);
  CHECK_EQ(who, name);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      CASE(nothing_is_connected_before_the_first_statement),
      CASE(a_server_that_is_away_is_a_passing_error_without_the_password),
      CASE(the_session_has_its_schema_and_its_time_limit),
      CASE(a_connection_lost_while_idle_is_replaced_by_the_next_request),
      CASE(a_connection_lost_within_a_request_fails_it_and_only_it),
      CASE(a_connection_lost_within_a_transaction_is_not_replaced_until_its_end),
      CASE(a_statement_that_takes_too_long_is_a_passing_error),
      CASE(migrating_twice_does_nothing_the_second_time),
      CASE(two_migrations_at_once_apply_each_file_once),
      CASE(a_newer_database_is_refused_with_both_versions),
      CASE(a_failing_file_leaves_nothing_and_is_applied_later),
      CASE(a_folder_with_a_gap_or_a_double_or_nothing_is_refused),
      CASE(a_schema_made_by_the_administrator_needs_no_right_to_create_one),
  };
  return db::run("database", tests);
}

// command_lock_test.cc — the lock of a command on a real PostgreSQL: one holder, who it is, and how it ends.
#include "db/command_lock.h"

#include <string>

#include "database.h"

namespace {

using namespace db;

Error refusal(Database& database, std::string_view command = "audit") {
  const auto taken = CommandLock::take(database, command, "node2");
  if (taken) t::raise(__FILE__, __LINE__, "the lock was given twice");
  return taken.error();
}

// Ends the session from outside, and waits until its locks are gone.
void kill_session(Database& database, Database& killer) {
  const std::string pid = value(database, "pg_backend_pid()");
  CHECK_OK(killer.run_script("SELECT pg_terminate_backend(" + pid + ", 5000)"));
}

void the_second_is_told_who_has_it() {
  Database one(options()), two(options());
  const auto lock = CHECK_OK(CommandLock::take(one, "audit", "node1"));
  const Error error = refusal(two);
  CHECK_EQ(error.code, Errc::kNotYet);
  const std::string holder =
      "cloakroom audit is at work already: cloakroom audit, node1, pid " + std::to_string(getpid()) + ", since 20";
  CHECK_EQ(error.detail.substr(0, holder.size()), holder);
}

void other_commands_and_other_schemas_have_locks_of_their_own() {
  Database one(options()), two(options()), elsewhere(options(schema_name("_b")));
  CHECK_OK(elsewhere.run_script("CREATE SCHEMA " + elsewhere.schema_identifier()));
  const auto lock = CHECK_OK(CommandLock::take(one, "audit", "node1"));
  const auto other = CHECK_OK(CommandLock::take(two, "cleanup", "node1"));
  const auto there = CHECK_OK(CommandLock::take(elsewhere, "audit", "node1"));
  CHECK_OK(elsewhere.run_script("DROP SCHEMA " + elsewhere.schema_identifier()));
}

void it_ends_with_its_owner() {
  Database one(options()), two(options());
  { const auto lock = CHECK_OK(CommandLock::take(one, "audit", "node1")); }
  CHECK_OK(CommandLock::take(two, "audit", "node2"));
}

void it_ends_with_the_connection_and_is_taken_again() {
  Database one(options()), two(options());
  auto lock = CHECK_OK(CommandLock::take(one, "audit", "node1"));
  kill_session(one, two);
  CHECK_OK(lock.keep());
  CHECK_EQ(refusal(two).code, Errc::kNotYet);
}

void who_was_quicker_after_a_lost_connection_has_it() {
  Database one(options()), two(options()), killer(options());
  auto lock = CHECK_OK(CommandLock::take(one, "audit", "node1"));
  kill_session(one, killer);
  const auto quicker = CHECK_OK(CommandLock::take(two, "audit", "node2"));
  const Status kept = lock.keep();
  CHECK(!kept && kept.error().code == Errc::kNotYet);
}

void a_long_name_of_a_node_still_leaves_the_pid() {
  Database one(options()), two(options());
  const auto lock = CHECK_OK(CommandLock::take(one, "backfill", std::string(200, 'n')));
  const Error error = refusal(two, "backfill");
  CHECK(error.detail.find(", pid " + std::to_string(getpid()) + ", since") != std::string::npos);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      CASE(the_second_is_told_who_has_it),
      CASE(other_commands_and_other_schemas_have_locks_of_their_own),
      CASE(it_ends_with_its_owner),
      CASE(it_ends_with_the_connection_and_is_taken_again),
      CASE(who_was_quicker_after_a_lost_connection_has_it),
      CASE(a_long_name_of_a_node_still_leaves_the_pid),
  };
  return db::run("command_lock", tests);
}

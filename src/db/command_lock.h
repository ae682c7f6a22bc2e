// command_lock.h — one at a time: a lock by the name of a command, for all hosts that share a database and its schema.
//
// Shape    an advisory lock of the session; application_name says who holds it ("cloakroom audit, node1, pid 4711").
// Life     ends with this object, or with its connection: a process that is killed holds it no longer than PostgreSQL
//          needs to notice, which is at once while it waits for the next statement, else a second (from PostgreSQL 14).
// Errors   kNotYet   somebody else has it; `detail` says who, where, since when
//          kDatabase, kInternal as in pg.h
// Lifetime the database is borrowed; its connection's application_name changes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "db/pg.h"

namespace cloakroom {

class CommandLock {
 public:
  // `command`: "audit"; `node`: the name of this host.
  static Result<CommandLock> take(Database& database, std::string_view command, std::string_view node);
  ~CommandLock();
  CommandLock(CommandLock&& other) noexcept;
  CommandLock(const CommandLock&) = delete;
  CommandLock& operator=(const CommandLock&) = delete;

  // Between two steps: after a lost connection the lock is taken again, or it is kNotYet when somebody was quicker.
  Status keep();

 private:
  CommandLock(Database& database, std::string command, std::string holder)
      : database_(&database), command_(std::move(command)), holder_(std::move(holder)) {}
  Status acquire();

  Database* database_;  // null: moved from
  std::string command_, holder_;
  std::uint64_t connection_number_ = 0;  // that holds it; 0: none
};

}  // namespace cloakroom

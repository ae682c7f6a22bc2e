// command_lock.cc — the lock, and the question who has it.
#include "db/command_lock.h"

#include <unistd.h>

namespace cloakroom {
namespace {

constexpr std::size_t kNodeBytes = 28;  // of a name in application_name, which PostgreSQL cuts at 63

// Other locks of ours have other names in the same space of numbers (sql/001).
#define CLOAKROOM_COMMAND_LOCK "hashtextextended(current_schema() || '/command/' || $1::text, 0)"
constexpr const char* kTake = "SELECT pg_try_advisory_lock(" CLOAKROOM_COMMAND_LOCK ")";
constexpr const char* kRelease = "SELECT pg_advisory_unlock(" CLOAKROOM_COMMAND_LOCK ")";

// A client that vanished during a statement is noticed, not waited for.
constexpr const char* kIntroduce =
    "SELECT set_config('application_name', $1::text, false),"
    " CASE WHEN current_setting('server_version_num')::int >= 140000"
    " THEN set_config('client_connection_check_interval', '1s', false) END";

// An advisory lock with one number of 64 bits has its halves in two columns and 1 in the third. Without the right to
// see the sessions of other roles backend_start is null.
constexpr const char* kHolder =
    "SELECT coalesce(a.application_name, ''), a.backend_start"
    " FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid"
    " WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1"
    " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND ((l.classid::int8 << 32) | l.objid::int8) = " CLOAKROOM_COMMAND_LOCK;

constexpr int kTries = 5;  // while the lock is held by somebody who is gone when we ask for the name

// "" for nobody, who has let go of it since.
std::string holder_of(Database& database, const std::string& command) {
  Params params;
  params.text(command);
  const auto found = database.run_once(kHolder, params);
  if (!found || found->rows() == 0) return "";
  std::string holder(found->text(0, 0));
  if (!found->is_null(0, 1)) holder.append(", since ").append(iso8601_ms(found->time(0, 1)));
  return holder;
}

}  // namespace

Result<CommandLock> CommandLock::take(Database& database, std::string_view command, std::string_view node) {
  std::string holder = "cloakroom ";
  holder.append(command).append(", ").append(node.substr(0, kNodeBytes));
  holder.append(", pid ").append(std::to_string(::getpid()));
  CommandLock lock(database, std::string(command), std::move(holder));
  TRY(lock.acquire());
  return lock;
}

CommandLock::CommandLock(CommandLock&& other) noexcept
    : database_(std::exchange(other.database_, nullptr)),
      command_(std::move(other.command_)),
      holder_(std::move(other.holder_)),
      connection_number_(other.connection_number_) {}

CommandLock::~CommandLock() {
  if (database_ == nullptr || connection_number_ != database_->connection_number()) return;
  Params params;
  params.text(command_);
  // a connection that was lost took the lock with it
  [[maybe_unused]] const auto ignored = database_->run_once(kRelease, params);
}

Status CommandLock::acquire() {
  // First, for whoever finds the lock held is to find the name, too.
  Params name;
  name.text(holder_);
  TRY(database_->run_once(kIntroduce, name));
  std::string detail = "cloakroom " + command_ + " is at work already";
  for (int tries = 0; tries < kTries; ++tries) {
    Params params;
    params.text(command_);
    TRY_ASSIGN(const auto taken, database_->run_once(kTake, params));
    if (taken.boolean(0, 0)) {
      connection_number_ = database_->connection_number();
      return Ok{};
    }
    const std::string holder = holder_of(*database_, command_);
    if (holder.empty()) continue;
    detail.append(": ").append(holder);
    break;
  }
  return Error{Errc::kNotYet, std::move(detail), {}, true};
}

Status CommandLock::keep() {
  database_->begin_request();  // an idle connection may have gone
  TRY(database_->connect_if_needed());
  if (connection_number_ == database_->connection_number()) return Ok{};
  return acquire();
}

}  // namespace cloakroom

// cursor.cc — DECLARE, FETCH, CLOSE.
#include "db/cursor.h"

namespace cloakroom {

Result<PgCursor> PgCursor::open(Database& database, std::string name, const std::string& select, const Params& params) {
  TRY(database.run_script("SET statement_timeout = 0"));
  TRY(database.run_once("DECLARE " + name + " NO SCROLL CURSOR WITH HOLD FOR " + select, params));
  return PgCursor(database, std::move(name));
}

PgCursor::PgCursor(PgCursor&& other) noexcept
    : database_(std::exchange(other.database_, nullptr)),
      name_(std::move(other.name_)),
      connection_number_(other.connection_number_) {}

PgCursor& PgCursor::operator=(PgCursor&& other) noexcept {
  if (this == &other) return *this;
  close();
  database_ = std::exchange(other.database_, nullptr);
  name_ = std::move(other.name_);
  connection_number_ = other.connection_number_;
  return *this;
}

PgCursor::~PgCursor() {
  close();
}

// The server's temporary file goes with it.
void PgCursor::close() {
  if (database_ == nullptr || connection_number_ != database_->connection_number()) return;
  [[maybe_unused]] const auto ignored = database_->run_script("CLOSE " + name_);
}

Result<ResultSet> PgCursor::fetch(unsigned most) {
  TRY(database_->connect_if_needed());
  if (connection_number_ != database_->connection_number()) {
    return Error{Errc::kDatabase, "connection lost in the middle of a long answer: begin again", {}, true};
  }
  return database_->run_once("FETCH " + std::to_string(most) + " FROM " + name_, Params{});
}

}  // namespace cloakroom

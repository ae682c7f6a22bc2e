// cursor.h — the rows of a SELECT, some at a time: for answers that are too large to be held.
//
// Shape    WITH HOLD: the server computes the whole answer first and keeps it in a temporary file of its own; then no
//          transaction is open, and nothing is in the way of VACUUM however slowly it is read.
// Limits   the session's statement_timeout is switched off: the answer takes as long as it takes.
// Errors   as pg.h; kDatabase when the connection was lost: the answer went with it.
// Lifetime the database is borrowed and may be used in between. One cursor of a name at a time.
#pragma once

#include <cstdint>
#include <string>

#include "db/pg.h"

namespace cloakroom {

class PgCursor {
 public:
  // `name`: an SQL identifier that needs no quotes.
  static Result<PgCursor> open(Database& database, std::string name, const std::string& select, const Params& params);
  ~PgCursor();
  PgCursor(PgCursor&& other) noexcept;
  PgCursor& operator=(PgCursor&& other) noexcept;

  // The next ones; fewer than `most`: these were the last.
  Result<ResultSet> fetch(unsigned most);

 private:
  PgCursor(Database& database, std::string name)
      : database_(&database), name_(std::move(name)), connection_number_(database.connection_number()) {}
  void close();

  Database* database_;  // null: moved from
  std::string name_;
  std::uint64_t connection_number_;
};

}  // namespace cloakroom

// pg.h — one connection to PostgreSQL: made when first needed, looked at once a request, remade when it died.
//
// Life     A child has one Database. The first statement connects. begin_request() marks the point after which the next
//          statement may find the idle connection dead and replace it; a statement that fails because the connection
//          died fails the request (kDatabase, retryable), and the next statement outside a transaction connects anew.
// Session  search_path is the schema, then pg_temp (last, so that temporary tables hide nothing); 15 s a statement.
// Errors   SQLSTATE is read by pg_error() alone:
//          kDatabase  08, 53, 57P01-57P03, 57014, 55P03, 40001, 40P01, 25006: away, full, shutting down, too slow, or
//                     two statements in each other's way; retryable, nothing was changed. Also failure to connect.
//          kConflict  CL409 (our own functions; `say` is their sentence), 23505
//          kQuota     CL413 (the same)
//          kInvalid   22021: text that is not UTF-8
//          kInternal  the rest
//          `detail` never holds a password, a connection string or a parameter's value.
// Unknown  after "connection lost" nobody knows whether the statement was carried out.
// Memory   a statement allocates what libpq does; results are read in place.
#pragma once

#include <libpq-fe.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/handle.h"
#include "base/id.h"
#include "base/result.h"
#include "base/time.h"
#include "db/params.h"

namespace cloakroom {

using PgConn = std::unique_ptr<PGconn, CDelete<PQfinish>>;
using PgResult = std::unique_ptr<PGresult, CDelete<PQclear>>;

// A statement that is prepared once a connection. Make it a constant: it is recognised by its address.
struct Statement {
  const char* name;
  const char* sql;
};

// The rows of a result, all columns in binary. Columns are counted from 0, in the order of the SELECT list.
// Lifetime text() points into the result.
class ResultSet {
 public:
  explicit ResultSet(PgResult result) : result_(std::move(result)) {}

  int rows() const { return PQntuples(result_.get()); }
  std::uint64_t affected() const;
  int column(const char* name) const { return PQfnumber(result_.get(), name); }  // -1: there is none
  bool is_null(int row, int column) const { return PQgetisnull(result_.get(), row, column) != 0; }
  std::string_view text(int row, int column) const;
  std::optional<std::string> maybe_text(int row, int column) const;
  std::int64_t integer(int row, int column) const;  // int2, int4, int8
  bool boolean(int row, int column) const { return integer(row, column) != 0; }
  Uuid uuid(int row, int column) const;
  TimePoint time(int row, int column) const;

 private:
  PgResult result_;
};

struct DatabaseOptions {
  std::string url;  // DATABASE_URL: anything libpq takes
  std::string schema = "cloakroom";
  std::string application_name = "cloakroom";  // seen in pg_stat_activity
};

enum class WaitOutcome { kNotified, kStopped, kTimeout };

class Database {
 public:
  explicit Database(DatabaseOptions options);

  // A new request begins: its first statement looks whether the idle connection still lives. Costs nothing now.
  void begin_request() { look_before_use_ = true; }

  Result<ResultSet> run(const Statement& statement, const Params& params);   // prepared, kept for the connection's life
  Result<ResultSet> run_once(const std::string& sql, const Params& params);  // one statement, not kept
  // Several statements without parameters. For migrations alone.
  Status run_script(const std::string& sql);

  // Between begin() and commit() or rollback() a lost connection is not replaced: every statement fails until
  // rollback().
  Status begin();
  Status commit();
  void rollback();

  // Whatever belongs to the session (locks, a transaction) ends with it. The next statement makes a new one.
  void disconnect() { connection_.reset(); }

  // Sleeps until a notification came in on a channel this connection LISTENs to, `stop_fd` is readable, or the time is
  // over.
  Result<WaitOutcome> wait(int stop_fd, std::chrono::milliseconds timeout);

  const std::string& schema() const { return options_.schema; }
  std::string schema_identifier() const;  // quoted for SQL, for statements that cannot take it as a parameter
  // Connects, or looks at the idle connection, as the next statement would. For what belongs to a session.
  Status connect_if_needed();
  // Grows with every connection made: what belongs to a session (LISTEN) must be done again when it did.
  std::uint64_t connection_number() const { return connection_number_; }

 private:
  Status connect();
  bool is_alive();
  bool take_notifications();
  Result<ResultSet> check(PgResult result, const char* name);

  DatabaseOptions options_;
  PgConn connection_;
  std::vector<const Statement*> prepared_;
  std::uint64_t connection_number_ = 0;
  bool look_before_use_ = false;
  bool in_transaction_ = false;
};

}  // namespace cloakroom

// pg.cc — the only file that talks to libpq.
#include "db/pg.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

namespace cloakroom {
namespace {

using ConninfoOptions = std::unique_ptr<PQconninfoOption, CDelete<PQconninfoFree>>;

std::string trimmed(const char* message) {
  std::string text = message ? message : "";
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

// What libpq says when it cannot connect. Before it talks to a server it quotes options it does not understand, and a
// password with an unescaped '/' or '@' is read as a port or a host: then what stands in quotes is left out.
std::string connect_complaint(const PGconn* connection) {
  std::string text = trimmed(PQerrorMessage(connection));
  if (text.starts_with("connection to server")) return text;
  std::string out;
  bool quoted = false;
  for (const char c : text) {
    if (c == '"') quoted = !quoted;
    if (c == '"' || !quoted) out += c;
  }
  return out;
}

std::string_view field_of(const PGresult* result, int field) {
  const char* text = PQresultErrorField(result, field);
  return text ? std::string_view(text) : std::string_view();
}

Error lost(std::string what) {
  return Error{Errc::kDatabase, std::move(what), {}, true};
}

bool is_passing(std::string_view state) {
  const auto kind = state.substr(0, 2);
  if (kind == "08" || kind == "53") return true;
  for (const std::string_view one : {"57P01", "57P02", "57P03", "57014", "55P03", "40001", "40P01", "25006"}) {
    if (state == one) return true;
  }
  return false;
}

// The one place that reads SQLSTATE. A result without one is libpq's own: the connection broke under the statement.
Error pg_error(const PGresult* result, const char* name) {
  const auto state = field_of(result, PG_DIAG_SQLSTATE);
  const auto message = field_of(result, PG_DIAG_MESSAGE_PRIMARY);
  if (state == "CL409") return refuse(Errc::kConflict, std::string(message));
  if (state == "CL413") return refuse(Errc::kQuota, std::string(message));

  std::string detail = "statement '" + std::string(name) + "' failed: ";
  if (state.empty()) return lost(detail + "connection lost: " + trimmed(PQresultErrorMessage(result)));
  detail += "SQLSTATE ";
  detail += state;
  if (const auto constraint = field_of(result, PG_DIAG_CONSTRAINT_NAME); !constraint.empty()) {
    detail += ", constraint '" + std::string(constraint) + "'";
  }
  // Class 22 quotes the value it could not read, so its words stay out. DETAIL and CONTEXT quote values in every class.
  if (state.substr(0, 2) != "22") detail += ": " + std::string(message);
  if (state == "42P01" || state == "42883" || state == "3F000" || state == "42703") {
    detail += " (are the migrations applied? run: cloakroom migrate)";
  }

  if (is_passing(state)) return lost(std::move(detail));
  if (state == "23505") return Error{Errc::kConflict, std::move(detail), {}, false};
  if (state == "22021")
    return Error{Errc::kInvalid, std::move(detail), "text must be valid UTF-8 without NUL characters", false};
  return Error{Errc::kInternal, std::move(detail), {}, false};
}

std::int64_t read_integer(const char* bytes, int length) {
  std::uint64_t value = (length > 0 && (static_cast<unsigned char>(bytes[0]) & 0x80U)) ? ~std::uint64_t{0} : 0;
  for (int i = 0; i < length; ++i) value = (value << 8) | static_cast<unsigned char>(bytes[i]);
  return static_cast<std::int64_t>(value);
}

bool is_readable(int fd) {
  pollfd one{fd, POLLIN, 0};
  return ::poll(&one, 1, 0) > 0;
}

void drop_notice(void*, const PGresult*) noexcept {}

}  // namespace

std::uint64_t ResultSet::affected() const {
  const char* text = PQcmdTuples(result_.get());
  std::uint64_t value = 0;
  std::from_chars(text, text + std::strlen(text), value);
  return value;
}

std::string_view ResultSet::text(int row, int column) const {
  return {PQgetvalue(result_.get(), row, column), static_cast<std::size_t>(PQgetlength(result_.get(), row, column))};
}

std::optional<std::string> ResultSet::maybe_text(int row, int column) const {
  if (is_null(row, column)) return std::nullopt;
  return std::string(text(row, column));
}

std::int64_t ResultSet::integer(int row, int column) const {
  return read_integer(PQgetvalue(result_.get(), row, column), PQgetlength(result_.get(), row, column));
}

Uuid ResultSet::uuid(int row, int column) const {
  Uuid id;
  const auto bytes = text(row, column);
  if (bytes.size() != id.bytes.size()) BUG("a column that is not a uuid was read as one");
  std::memcpy(id.bytes.data(), bytes.data(), id.bytes.size());
  return id;
}

TimePoint ResultSet::time(int row, int column) const {
  return from_pg_microseconds(integer(row, column));
}

Database::Database(DatabaseOptions options) : options_(std::move(options)) {}

Result<ResultSet> Database::check(PgResult result, const char* name) {
  const auto status = PQresultStatus(result.get());
  if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) return ResultSet(std::move(result));
  if (!result)
    return lost("statement '" + std::string(name) + "' failed: " + trimmed(PQerrorMessage(connection_.get())));
  Error error = pg_error(result.get(), name);
  // A session that ended is closed at once. After FATAL the end of the stream may still be on its way, so libpq says
  // "OK".
  const auto severity = field_of(result.get(), PG_DIAG_SEVERITY_NONLOCALIZED);
  if (PQstatus(connection_.get()) != CONNECTION_OK || severity == "FATAL" || severity == "PANIC") connection_.reset();
  return error;
}

Status Database::connect() {
  // A string that libpq cannot read comes back in its message, password and all.
  char* complaint = nullptr;
  const ConninfoOptions parsed(PQconninfoParse(options_.url.c_str(), &complaint));
  PQfreemem(complaint);
  if (!parsed)
    return Error{
        Errc::kDatabase, "cannot connect to PostgreSQL: DATABASE_URL is not a valid connection string", {}, true};

  // What stands before dbname is a default that the URL may change. TCP: a host that vanished is noticed, not waited
  // for.
  const std::array keywords{"connect_timeout",
                            "keepalives_idle",
                            "tcp_user_timeout",
                            "application_name",
                            "dbname",
                            "client_encoding",
                            static_cast<const char*>(nullptr)};
  const std::array values{"3",
                          "30",
                          "20000",
                          options_.application_name.c_str(),
                          options_.url.c_str(),
                          "UTF8",
                          static_cast<const char*>(nullptr)};
  prepared_.clear();
  connection_.reset(PQconnectdbParams(keywords.data(), values.data(), 1));
  if (!connection_) return lost("cannot connect to PostgreSQL: out of memory");
  if (PQstatus(connection_.get()) != CONNECTION_OK) {
    Error error = lost("cannot connect to PostgreSQL: " + connect_complaint(connection_.get()));
    connection_.reset();
    return error;
  }
  ++connection_number_;
  PQsetNoticeReceiver(connection_.get(), drop_notice, nullptr);  // libpq would print them to stderr, which is the log

  const std::string path = schema_identifier() + ", pg_temp";
  Params params;
  params.text(path);
  auto session =
      check(PgResult(PQexecParams(connection_.get(),
                                  "SELECT set_config('search_path', $1::text, false),"
                                  " set_config('statement_timeout', '15s', false),"
                                  " set_config('client_min_messages', 'warning', false),"
                                  // every statement has one good plan whatever its parameters: planning again costs
                                  " set_config('plan_cache_mode', 'force_generic_plan', false)",
                                  params.size(), nullptr, params.values(), params.lengths(), params.formats(), 1)),
            "session");
  if (!session) {
    connection_.reset();
    return session.error();
  }
  return Ok{};
}

// Whether the idle connection still stands. The server's farewell ("terminating connection ...") and the end of the
// stream are two reads, so reading goes on while there is something.
bool Database::is_alive() {
  if (PQstatus(connection_.get()) != CONNECTION_OK) return false;
  for (int reads = 0; reads < 8 && is_readable(PQsocket(connection_.get())); ++reads) {
    if (PQconsumeInput(connection_.get()) == 0) return false;
    if (PQstatus(connection_.get()) != CONNECTION_OK) return false;
  }
  return true;
}

Status Database::connect_if_needed() {
  if (in_transaction_) {
    if (!connection_) return lost("the transaction's connection was lost");
    return Ok{};
  }
  const bool look = std::exchange(look_before_use_, false);
  if (connection_ && !(look && !is_alive())) return Ok{};
  return connect();
}

Result<ResultSet> Database::run(const Statement& statement, const Params& params) {
  TRY(connect_if_needed());
  if (std::find(prepared_.begin(), prepared_.end(), &statement) == prepared_.end()) {
    TRY(check(PgResult(PQprepare(connection_.get(), statement.name, statement.sql, 0, nullptr)), statement.name));
    prepared_.push_back(&statement);
  }
  return check(PgResult(PQexecPrepared(connection_.get(), statement.name, params.size(), params.values(),
                                       params.lengths(), params.formats(), 1)),
               statement.name);
}

Result<ResultSet> Database::run_once(const std::string& sql, const Params& params) {
  TRY(connect_if_needed());
  return check(PgResult(PQexecParams(connection_.get(), sql.c_str(), params.size(), nullptr, params.values(),
                                     params.lengths(), params.formats(), 1)),
               "unnamed");
}

Status Database::run_script(const std::string& sql) {
  TRY(connect_if_needed());
  TRY(check(PgResult(PQexec(connection_.get(), sql.c_str())), "script"));
  return Ok{};
}

Status Database::begin() {
  TRY(run_script("BEGIN"));
  in_transaction_ = true;
  return Ok{};
}

Status Database::commit() {
  auto outcome = run_script("COMMIT");
  in_transaction_ = false;
  return outcome;
}

void Database::rollback() {
  // A rollback that does not get through leaves a connection in an unknown state: without one there is no doubt.
  if (connection_ && !run_script("ROLLBACK")) connection_.reset();
  in_transaction_ = false;
}

bool Database::take_notifications() {
  bool any = false;
  using Notification = std::unique_ptr<PGnotify, CDelete<PQfreemem>>;
  while (Notification(PQnotifies(connection_.get()))) any = true;
  return any;
}

Result<WaitOutcome> Database::wait(int stop_fd, std::chrono::milliseconds timeout) {
  if (!connection_) return lost("cannot wait for notifications: not connected");
  const auto end = std::chrono::steady_clock::now() + timeout;
  for (;;) {
    if (take_notifications()) return WaitOutcome::kNotified;  // also those that came with the last statement's answer
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
    std::array<pollfd, 2> watched{pollfd{PQsocket(connection_.get()), POLLIN, 0}, pollfd{stop_fd, POLLIN, 0}};
    const int ready = ::poll(watched.data(), watched.size(), static_cast<int>(std::max<std::int64_t>(0, left.count())));
    if (ready == 0) return WaitOutcome::kTimeout;
    if (watched[1].revents != 0) return WaitOutcome::kStopped;
    if (ready > 0 && watched[0].revents != 0 && PQconsumeInput(connection_.get()) == 0) {
      connection_.reset();
      return lost("connection lost while waiting for notifications");
    }
  }
}

std::string Database::schema_identifier() const {
  std::string quoted = "\"";
  for (const char c : options_.schema) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

}  // namespace cloakroom

// legacy_query.cc — keyset pages over a query that somebody else wrote.
#include "db/legacy_query.h"

#include <fmt/format.h>

#include "base/limits.h"

namespace cloakroom {
namespace {

// The query is read in UTC. Its table may be without a fitting index for our walk: a page has a minute.
constexpr const char* kSession =
    "SET default_transaction_read_only = on; SET TimeZone = 'UTC'; SET statement_timeout = '60s'";

std::string quoted(const std::string& identifier) {
  std::string out = "\"";
  for (const char c : identifier) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + '"';
}

// As a cast without a length: "character" would be one of 1, and cut the key off.
std::string cast_of(std::string_view type) {
  if (type == "character") return "bpchar";
  return type == "bit" ? "bit varying" : std::string(type);
}

Error wrong_key(std::string what) {
  return {Errc::kInvalid, "the query gives " + std::move(what)};
}

}  // namespace

Status LegacyQuery::prepare_session() {
  database_.begin_request();
  TRY(database_.connect_if_needed());
  if (prepared_connection_ == database_.connection_number()) return Ok{};
  TRY(database_.run_script(kSession));
  prepared_connection_ = database_.connection_number();
  return Ok{};
}

Status LegacyQuery::learn_key_type() {
  if (!key_type_.empty()) return Ok{};
  const std::string sql =
      fmt::format("SELECT pg_typeof(q.{})::text FROM ({}) q LIMIT 1", quoted(query_.key), query_.sql);
  TRY_ASSIGN(const auto set, database_.run_once(sql, Params{}));
  if (set.rows() == 0) return Ok{};
  // no page would ever have them: they are behind every position
  const std::string nulls =
      fmt::format("SELECT EXISTS (SELECT FROM ({}) q WHERE q.{} IS NULL)", query_.sql, quoted(query_.key));
  TRY_ASSIGN(const auto found, database_.run_once(nulls, Params{}));
  if (found.boolean(0, 0)) return wrong_key("a row whose key is null: leave such rows out with WHERE");
  key_type_ = cast_of(set.text(0, 0));
  return Ok{};
}

std::string LegacyQuery::rows_behind(bool has_position) const {
  const std::string behind =
      has_position ? fmt::format(" WHERE q.{} > ($1::text)::{}", quoted(query_.key), key_type_) : "";
  return fmt::format(" FROM ({}) q{}", query_.sql, behind);
}

Result<std::vector<LegacyRow>> LegacyQuery::after(const std::string& position, std::size_t most) {
  TRY(prepare_session());
  TRY(learn_key_type());
  std::vector<LegacyRow> rows;
  if (key_type_.empty()) return rows;
  // row_to_json, not to_jsonb: a json column is passed as it is, whatever it holds, and fails its own row alone. One
  // row more than asked for: of two with one key the page's end would lose the second.
  const std::string sql = fmt::format(
      "SELECT page.k::text, CASE WHEN octet_length(j) <= {} THEN j END, page.k = lag(page.k) OVER (ORDER BY page.k) "
      "FROM"
      " (SELECT q.{} AS k, row_to_json(q)::text AS j{} ORDER BY q.{} LIMIT {}) page ORDER BY page.k",
      limits::kLegacyRowBytes, quoted(query_.key), rows_behind(!position.empty()), quoted(query_.key), most + 1);
  Params params;
  if (!position.empty()) params.text(position);
  TRY_ASSIGN(const auto set, database_.run_once(sql, params));
  for (int i = 0; i < set.rows(); ++i) {
    if (set.is_null(i, 0)) return wrong_key("a row whose key is null: leave such rows out with WHERE");
    if (!set.is_null(i, 2) && set.boolean(i, 2)) {
      return wrong_key("two rows with the key '" + std::string(set.text(i, 0)) + "': it is not unique");
    }
    if (rows.size() == most) break;
    LegacyRow row;
    row.position = set.text(i, 0);
    if (set.is_null(i, 1)) {
      row.trouble = fmt::format("the row is larger than {} bytes", limits::kLegacyRowBytes);
    } else if (auto fields = parse_json(set.text(i, 1)); fields) {
      row.fields = *std::move(fields);
    } else {
      row.trouble = "its JSON cannot be read";
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

Result<LegacyRows::Left> LegacyQuery::left(const std::string& position) {
  TRY(prepare_session());
  TRY(learn_key_type());
  if (key_type_.empty()) return Left{"rows", 0};
  Params params;
  if (!position.empty()) params.text(position);
  const auto set = database_.run_once("SELECT count(*)" + rows_behind(!position.empty()), params);
  return Left{"rows", set ? static_cast<std::uint64_t>(set->integer(0, 0)) : 0};
}

}  // namespace cloakroom

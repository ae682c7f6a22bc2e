// legacy_query.h — rows of an old application's table in a PostgreSQL database, its own or ours. Read only.
//
// Shape    the query's rows as JSON objects, a statement a page, each from where the last one ended (the key is unique
//          and has an order). So no transaction stays open, and nothing is held but a page.
// Rows     of more than limits::kLegacyRowBytes could not be read.
// Errors   kDatabase away; kInternal the query is refused (`detail` says why); kInvalid a key that is null or not
// unique Lifetime the database is borrowed; its session is made read-only.
#pragma once

#include <string>

#include "db/pg.h"
#include "domain/backfill_mapping.h"
#include "domain/backfill_ports.h"

namespace cloakroom {

class LegacyQuery final : public LegacyRows {
 public:
  LegacyQuery(Database& database, const BackfillMapping::Query& query) : database_(database), query_(query) {}

  Result<std::vector<LegacyRow>> after(const std::string& position, std::size_t most) override;
  // Counting may take longer than anybody waits: then 0, which is "nobody knows".
  Result<Left> left(const std::string& position) override;

 private:
  Status prepare_session();
  Status learn_key_type();
  std::string rows_behind(bool has_position) const;

  Database& database_;
  const BackfillMapping::Query& query_;
  std::uint64_t prepared_connection_ = 0;
  std::string key_type_;  // as PostgreSQL writes it; empty: the query has no rows
};

}  // namespace cloakroom

// scrubs.h — the port ScrubRows over the one row of the table scrubs.
//
// Source   sql/016_copies.sql
// Errors   as pg.h
// Lifetime the database is borrowed.
#pragma once

#include "db/pg.h"
#include "domain/scrub.h"

namespace cloakroom {

class PgScrubs final : public ScrubRows {
 public:
  explicit PgScrubs(Database& database) : database_(database) {}

  Result<ScrubState> begin() override;
  Result<std::uint64_t> count_from(const Uuid& after) override;
  Result<std::vector<FileWithCopy>> next(const Uuid& after, std::size_t most) override;
  Status advance(const Uuid& after, const ScrubTotals& totals, std::span<const Uuid> right, bool is_finished) override;

 private:
  Database& database_;
};

}  // namespace cloakroom

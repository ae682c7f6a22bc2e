// job_overview.h — the port JobOverview over the tables jobs and dead_jobs.
//
// Source   sql/013_jobs.sql
#pragma once

#include "db/pg.h"
#include "domain/jobs.h"

namespace cloakroom {

class PgJobOverview final : public JobOverview {
 public:
  explicit PgJobOverview(Database& database) : database_(database) {}  // borrowed

  Result<std::vector<JobKindStatus>> by_kind() override;
  Result<std::vector<DeadJob>> dead(std::size_t most) override;
  Result<std::uint64_t> retry(std::optional<std::int64_t> id) override;

 private:
  Database& database_;
};

}  // namespace cloakroom

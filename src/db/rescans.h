// rescans.h — the port RescanRows over the one row of the table rescans.
//
// Source   sql/007_scan.sql
#pragma once

#include <string>

#include "db/pg.h"
#include "domain/rescan.h"

namespace cloakroom {

class PgRescans final : public RescanRows {
 public:
  // `runner` names this runner in rescans.held_by: unlike every other.
  PgRescans(Database& database, std::string runner) : database_(database), runner_(std::move(runner)) {}

  Result<bool> begin(std::uint64_t signatures, bool again) override;
  Result<std::optional<Uuid>> hold(std::uint64_t signatures, std::chrono::seconds lease) override;
  Result<std::vector<Attachment>> next(const Uuid& after, std::size_t most) override;
  Status advance(std::uint64_t signatures, const Uuid& after, bool is_finished) override;

 private:
  Database& database_;  // borrowed
  std::string runner_;
};

}  // namespace cloakroom

// tombstones.h — the port Tombstones over the tables tombstones and tombstone_objects.
//
// Source   sql/012_tombstones.sql
#pragma once

#include "db/pg.h"
#include "domain/tombstones.h"

namespace cloakroom {

class PgTombstones final : public Tombstones {
 public:
  explicit PgTombstones(Database& database) : database_(database) {}  // borrowed

  Result<std::vector<Tombstone>> list(std::size_t most) override;
  Result<std::vector<BuriedObject>> objects_of(const Uuid& id) override;
  Result<Restored> restore(const Uuid& id) override;
  Result<std::vector<BuriedObject>> begin_purge(std::span<const Uuid> ids) override;
  Status forget(std::span<const Uuid> ids) override;

 private:
  Database& database_;
};

}  // namespace cloakroom

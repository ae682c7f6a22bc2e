// deletions.h — the port Deletions over the table cache_purges.
//
// Source   sql/002_cache_purges.sql and the later one that names the store; a mark is the oldest transaction still
// running: what it commits later has its
//          number, which is not below the mark.
#pragma once

#include "db/pg.h"
#include "domain/deletions.h"

namespace cloakroom {

class PgDeletions final : public Deletions {
 public:
  explicit PgDeletions(Database& database) : database_(database) {}  // borrowed

  Result<DeletionMark> mark() override;
  Status since(DeletionMark mark, const std::function<void(const DeletedObject&)>& take) override;
  Status forget(std::chrono::hours age) override;

  // For a database that was restored in another cluster, whose transactions are counted from the beginning: numbers
  // that are still to come there would be above every mark, and each look would find them anew. They get one of today.
  Status renumber();

 private:
  Database& database_;
};

}  // namespace cloakroom

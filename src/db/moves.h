// moves.h — the port MoveRows over PostgreSQL.
//
// Source   sql/*_moves.sql
// Order    rows come by (store, key), the index of the constraint that every object has one row: however many were
// moved
//          already, they cost nothing.
#pragma once

#include "db/pg.h"
#include "domain/move_ports.h"

namespace cloakroom {

class PgMoves final : public MoveRows {
 public:
  // Borrowed. `wants_copies`: as RowsOptions (db/attachments.h), of files that come to the local store.
  explicit PgMoves(Database& database, bool wants_copies = false) : database_(database), wants_copies_(wants_copies) {}

  Result<std::vector<MovableObject>> next(const MoveShare& share, const std::string& after, std::size_t most) override;
  Result<std::vector<PlannedMove>> plan(StoreKind to, std::span<const MoveNames> names,
                                        std::chrono::seconds life) override;
  Status switch_object(const MoveSwitch& change) override;
  Result<bool> is_unchanged(const MovableObject& object) override;
  Status give_up(DeletionTicket ticket) override;
  Result<MoveCounts> count(StoreKind store) override;
  Result<std::vector<WaitingSources>> waiting() override;
  // Whether a row names an object in it. Cheap.
  Result<bool> is_used(StoreKind store);

 private:
  Database& database_;
  bool wants_copies_;
};

}  // namespace cloakroom

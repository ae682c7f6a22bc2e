// audit.h — AuditRows on PostgreSQL: one sorted answer of all that names an object.
//
// Shape    attachments, variants, copies; promises are deletion tickets, jobs 'delete_object', tickets of direct
// uploads,
//          tombstones, what moves left.
// Source   sql/001, 003, 004, 009.
// Order    COLLATE "C": the bytes of the key. The server sorts, in its own memory and temporary files.
// Kept     of files that nodes keep for themselves (domain/fallback.h) only those of this node: the disk of another one
//          is not seen from here.
// Errors   as pg.h and cursor.h.
// Lifetime the database is borrowed.
#pragma once

#include <optional>
#include <string>

#include "db/cursor.h"
#include "domain/audit_ports.h"

namespace cloakroom {

class PgAuditRows final : public AuditRows {
 public:
  PgAuditRows(Database& database, std::string kept_prefix)
      : database_(database), kept_prefix_(std::move(kept_prefix)) {}

  Result<std::uint64_t> begin(StoreKind store) override;
  Result<std::optional<KnownObject>> next() override;
  Result<std::vector<std::optional<KnownObject>>> look(StoreKind store, std::span<const std::string> keys) override;
  Result<std::vector<bool>> queue_deletions(StoreKind store, std::span<const std::string> keys) override;
  Result<bool> remove_variant(StoreKind store, const std::string& key) override;
  Result<bool> want_copy_again(StoreKind store, const KnownObject& copy) override;

 private:
  Database& database_;
  std::string kept_prefix_;
  std::optional<PgCursor> cursor_;
  std::optional<ResultSet> page_;
  int row_ = 0;  // the next one of the page
};

}  // namespace cloakroom

// backfill_book.h — the book of what was taken over, in the tables of sql/ whose names begin with backfill.
//
// Errors   as pg.h
// Lifetime the database is borrowed.
#pragma once

#include <string>

#include "db/pg.h"
#include "domain/backfill_ports.h"
#include "domain/legacy_files.h"

namespace cloakroom {

class PgBackfillBook final : public BackfillBook, public LegacyAddresses {
 public:
  // `wants_copies`: as RowsOptions (db/attachments.h).
  explicit PgBackfillBook(Database& database, bool wants_copies = false)
      : database_(database), wants_copies_(wants_copies) {}

  Result<std::optional<BackfillRun>> run_of(const std::string& source, const std::string& fingerprint) override;
  Status keep_run(const std::string& source, const std::string& fingerprint, const BackfillRun& run) override;
  Result<std::set<MessagePath>> taken(const std::string& source, std::span<const MessagePath> asked) override;
  Result<std::map<std::string, ObjectOwner>> owners(StoreKind store, std::span<const std::string> keys) override;
  // REQUIRES: the attachment is kLinked.
  Status commit(const std::string& source, const std::string& path, const Attachment& attachment,
                std::span<const DeletionTicket> tickets) override;
  Result<std::vector<Uuid>> ids_of(const std::string& path, std::size_t most) override;

 private:
  Database& database_;
  bool wants_copies_;
};

}  // namespace cloakroom

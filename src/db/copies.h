// copies.h — the port CopyRows over the table copies.
//
// Source   sql/016_copies.sql
// Order    whoever locks a row of attachments and one of copies takes the first one first, as a deletion does.
// Errors   as pg.h
// Lifetime the database is borrowed.
#pragma once

#include "db/pg.h"
#include "domain/copies.h"

namespace cloakroom {

// The columns behind CLOAKROOM_ATTACHMENT_COLUMNS that read_file_with_copy() reads; `c` is the table.
#define CLOAKROOM_COPY_COLUMNS "c.attachment_id IS NOT NULL AS is_wanted, c.store AS copy_store, c.key AS copy_key"
// Two CTEs: a wish for a copy of each file of `rows` (FROM of id and size_bytes), and its job. Of who writes the row.
#define CLOAKROOM_WISHES(rows)                                                                  \
  " wanted AS (INSERT INTO copies (attachment_id, size_bytes) SELECT id, size_bytes FROM " rows \
  " ON CONFLICT DO NOTHING),"                                                                   \
  " copying AS (INSERT INTO jobs (kind, payload, priority)"                                     \
  " SELECT 'copy_object', jsonb_build_object('id', id), -2 FROM " rows ")"
Result<FileWithCopy> read_file_with_copy(const ResultSet& set, int row);

class PgCopies final : public CopyRows {
 public:
  explicit PgCopies(Database& database) : database_(database) {}

  Result<std::optional<FileWithCopy>> find(const Uuid& id) override;
  Status commit_copy(const Uuid& id, const CopyPlace& place, DeletionTicket ticket) override;
  Result<std::optional<CopyPlace>> ask_repair(const Uuid& id) override;
  Result<bool> put_right(const Uuid& id, const ObjectKey& local, const std::function<Status()>& act) override;
  Status note_right(const Uuid& id) override;
  Result<bool> want_again(const Uuid& id, const CopyPlace& place) override;
  Result<CopyGap> gap() override;
  Result<CopyGap> uncounted() override;
  Result<CopyPage> want_page(const Uuid& after, std::size_t most, bool is_rehearsal) override;

 private:
  Result<bool> lock_and_act(const Uuid& id, const ObjectKey& local, const std::function<Status()>& act);

  Database& database_;
};

}  // namespace cloakroom

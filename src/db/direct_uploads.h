// direct_uploads.h — the port DirectUploadRows over PostgreSQL.
//
// Source   sql/003_direct_uploads.sql. What must hold together is one statement: the row and the ticket that deletes
//          its object; the attachment and the end of the upload.
#pragma once

#include <string>
#include <vector>

#include "db/pg.h"
#include "domain/direct_ports.h"

namespace cloakroom {

struct ExpiredUpload {
  Uuid id;
  std::string filename;
  std::uint64_t size_bytes = 0;
  bool is_complete = false;  // its file is an attachment
};

class PgDirectUploads final : public DirectUploadRows {
 public:
  explicit PgDirectUploads(Database& database) : database_(database) {}  // borrowed

  Status add(const DirectUpload& upload, std::chrono::seconds grace) override;
  Status add_within(const DirectUpload& upload, std::chrono::seconds grace, const RoomRequest& room) override;
  Status set_upload_id(const Uuid& id, const std::string& upload_id) override;
  Result<std::optional<DirectUpload>> find(const Uuid& id) override;
  Status hold(const Uuid& id, std::chrono::seconds most) override;
  Status commit(const DirectUpload& upload, const Attachment& attachment, const DeletionTicket& ticket) override;
  Status refuse(const DirectUpload& upload) override;
  Result<std::uint64_t> clean_up(std::chrono::seconds grace) override;
  Result<std::uint64_t> count_expired(std::chrono::seconds grace);  // that clean_up() would remove
  Result<std::vector<ExpiredUpload>> expired(std::chrono::seconds grace,
                                             std::size_t most);  // of them, the oldest first

 private:
  Database& database_;
};

}  // namespace cloakroom

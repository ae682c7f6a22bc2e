// direct_ports.h — what direct uploads need beyond ports.h: a store that browsers write to, and rows of their tickets.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "domain/ports.h"

namespace cloakroom {

// What a browser sends, and where. A PUT has headers and the bytes as its body; a POST is a form of these fields, in
// this order, with the file as the last one, named "file".
struct BrowserRequest {
  std::string method;
  std::string url;  // a bearer token: never logged
  std::vector<std::pair<std::string, std::string>> headers;
  std::vector<std::pair<std::string, std::string>> fields;
};

struct DirectObject {
  ObjectKey key;
  std::uint64_t size_bytes = 0;
};

struct PartsRef {
  const ObjectKey& key;
  std::string_view upload_id;
};

struct PartOf {
  unsigned number = 0;  // from 1
  std::uint64_t size_bytes = 0;
};

struct UploadedPart {
  unsigned number = 0;
  std::string etag;  // as the store sent it
};

// A store that takes bytes from browsers. What is signed binds key and size, and stores the object as bytes of no type
// that are to be saved, not shown: nobody has looked at them yet, and the bucket may be read by others.
// Errors   as BlobStore
class DirectStore {
 public:
  virtual ~DirectStore() = default;

  // No round trip.
  virtual Result<BrowserRequest> sign_upload(const DirectObject& object, std::chrono::seconds expires) = 0;
  virtual Result<BrowserRequest> sign_part(const PartsRef& upload, const PartOf& part,
                                           std::chrono::seconds expires) = 0;

  // The id of an upload in parts, which takes room in the store until it is finished or aborted.
  virtual Result<std::string> begin_parts(const DirectObject& object) = 0;
  // May be repeated. kConflict, with a sentence for the client, when the store has not got these parts.
  virtual Status finish_parts(const PartsRef& upload, std::span<const UploadedPart> parts,
                              std::uint64_t size_bytes) = 0;
  // One that is gone already is a success.
  virtual Status abort_parts(const PartsRef& upload) = 0;
};

// What was promised to a browser, until it is an attachment or given up.
struct DirectUpload {
  Uuid id;
  std::optional<std::string> uploader_id;
  std::optional<std::string> dialog_id;
  std::string filename;  // cleaned
  std::string declared_type;
  std::uint64_t size_bytes = 0;
  std::optional<Sha256Digest> sha256;  // declared; empty: the client did not say
  StoreKind store = StoreKind::kS3;    // where new files went when the ticket was given out
  std::string key;                     // below quarantine/: whoever holds the ticket can write to it
  std::optional<std::string> upload_id;
  std::uint64_t part_bytes = 0;  // 0: not in parts
  TimePoint expires_at;
  std::optional<Uuid> attachment_id;  // set by commit()
};

// Errors   kDatabase as Rows
class DirectUploadRows {
 public:
  virtual ~DirectUploadRows() = default;

  // The row, and with it a ticket that deletes the object `grace` after the upload expired, whatever happens: the
  // signature lets its holder write until then, also after the object was moved or refused.
  virtual Status add(const DirectUpload& upload, std::chrono::seconds grace) = 0;
  // The same, if there is room; then the row holds the place until it is committed, refused or expired. kQuota: no row.
  virtual Status add_within(const DirectUpload& upload, std::chrono::seconds grace, const RoomRequest& /*room*/) {
    return add(upload, grace);
  }
  virtual Status set_upload_id(const Uuid& id, const std::string& upload_id) = 0;
  virtual Result<std::optional<DirectUpload>> find(const Uuid& id) = 0;
  // It is being completed: it keeps its place for so long, also beyond its expiry. kConflict, with a sentence for the
  // client, when it has expired, or is committed or gone already.
  virtual Status hold(const Uuid& id, std::chrono::seconds most) = 0;

  // The commit point, one statement: the attachment appears, its deletion ticket vanishes, the row of the upload names
  // the attachment, and a job deletes the object in quarantine; or nothing of this. kConflict when the upload is
  // committed or gone already, or the ticket is.
  virtual Status commit(const DirectUpload& upload, const Attachment& attachment, const DeletionTicket& ticket) = 0;
  // Refused: the row goes, unless it was committed, and a job deletes the object in quarantine at once.
  virtual Status refuse(const DirectUpload& upload) = 0;
  // Rows that expired longer than `grace` ago go; jobs abort their unfinished multipart uploads. How many rows.
  virtual Result<std::uint64_t> clean_up(std::chrono::seconds grace) = 0;
};

}  // namespace cloakroom

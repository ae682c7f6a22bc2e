// upload.h — takes files in, all or nothing.
//
// Order    limits, sniff, metadata out, virus scan, a look at pictures (domain/pictures.h), deletion tickets, bytes
//          (hashed on the way, durable), rows. The rows are the commit point: whatever fails before it leaves nothing
//          but objects that a job deletes, also after a crash of this process or host.
// Budget   an upload is paid for once, before it costs anybody much: before a file is searched for metadata, scanned or
//          looked at, else with the tickets.
// Quota    room for all files is held by the tickets, and given back at once when the upload fails.
// Away     when the store is away and there is a fallback, the same is done there, with a job for each row that moves
//          it.
// Errors   kTooMany over a budget; kQuota no room for all of it; kTooLarge, kUnsupportedType and kInvalid name the
//          file; kStore, kDatabase, kDiskFull: nothing was kept, try again; kInfected, kNotScanned, kScannerAway:
//          domain/virus_scan.h; kUndecodable: domain/strip.h. Nothing was stored.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.h"
#include "domain/access.h"
#include "domain/fallback.h"
#include "domain/image_ports.h"
#include "domain/ports.h"
#include "domain/spool.h"
#include "domain/stored_meta.h"
#include "domain/strip.h"
#include "domain/virus_scan.h"

namespace cloakroom {

struct IncomingFile {
  std::string filename;  // as the client sent it; cleaned here
  FileRange bytes;       // ours: with UploadRules::strip they are changed
};

struct UploadRequest {
  Caller caller;
  std::optional<std::string> dialog_id;
  std::vector<IncomingFile> files;
  UploadClaim claim = {};
};

struct UploadRules {
  KeyRule keys;
  std::uint64_t max_file_bytes = 0;
  std::vector<std::string> allowed_types;  // "image/png", "image/*"; empty = all
  std::string object_cache_control;
  std::chrono::seconds orphan_grace{};  // after this an object without a row is deleted
  StoredHeadersOf stored_headers = {};
  VirusScan* scan = nullptr;       // null: nothing is scanned
  MetadataStrip* strip = nullptr;  // null: pictures are kept as they come
  Imager* imager = nullptr;        // null: nobody looks at pictures
  NamelessFile nameless = {};      // for pictures that are not in a file yet; needed with `strip` and `imager`
  QuotaRules quotas = {};
  std::chrono::milliseconds look_at_pictures = limits::kLookAtPictures;  // at all of one upload
};

class Uploads {
 public:
  Uploads(Rows& rows, BlobStore& store, Sniffer& sniffer, const Clock& clock, UploadRules rules, Fallback fallback = {})
      : rows_(rows),
        store_(store),
        sniffer_(sniffer),
        clock_(clock),
        rules_(std::move(rules)),
        fallback_(std::move(fallback)) {}

  Result<std::vector<Attachment>> take(const UploadRequest& request);

  std::uint64_t max_file_bytes() const { return rules_.max_file_bytes; }
  const std::vector<std::string>& allowed_types() const { return rules_.allowed_types; }

 private:
  struct Described {
    Attachment attachment;
    bool is_stripped = false;  // or rather searched for what has to go
  };
  Result<Described> describe(const UploadRequest& request, const IncomingFile& file);
  Status strip_all(const UploadRequest& request, std::span<const Attachment> made);
  Status scan_all(const UploadRequest& request, std::span<const Attachment> made);
  RoomRequest room_for(const UploadRequest& request, std::span<const Attachment> made) const;
  struct Place {
    BlobStore& store;
    const KeyRule& keys;
    bool to_be_moved = false;
  };
  // The spenders of `unpaid` are gone once they have paid; room is asked for in each place anew.
  Status keep(const UploadRequest& request, const Place& place, UploadClaim& unpaid, std::vector<Attachment>& made);
  Status store_all(const UploadRequest& request, BlobStore& store, std::span<const ObjectKey> keys,
                   std::vector<Attachment>& made);

  Rows& rows_;
  BlobStore& store_;
  Sniffer& sniffer_;
  const Clock& clock_;
  UploadRules rules_;
  Fallback fallback_;
};

// Does `type` match one of the patterns? An empty list matches everything.
bool type_allowed(std::string_view type, std::span<const std::string> patterns);

}  // namespace cloakroom

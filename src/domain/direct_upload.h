// direct_upload.h — files that a browser sends straight to the store: the promise, and what makes it an attachment.
//
// Order    open()      limits, row with a deletion ticket for the object, signature
//          complete()  size, first look at the type, deletion ticket for the real key, copy to it, then size, type and
//                      hash of the copy, and the rows. The rows are the commit point. A picture whose metadata is to be
//                      removed is not copied by the store: it is laid down here, judged, stripped, and put.
// Why      the copy is what is judged: its sender holds a URL with which he can change the object in quarantine at any
//          time until it expires, but nobody can write to the real key. Each attempt to complete has a key of its own.
// Cost     completing reads the whole file once from the store through this process, in blocks: a row has the SHA-256
//          of its bytes, and no store tells it.
// Quota    the ticket holds room for the announced size, which is also the real one, until it is complete, void or
//          expired; while it is completed also beyond that, for as long as the completion may take.
// Errors   kQuota no room for it; kTooLarge, kUnsupportedType, kInvalid: refused. At completion the object is deleted
// and the ticket is void.
//          kInfected, kNotScanned: the same. kScannerAway: the ticket stays, try again
//          kConflict   nothing uploaded yet, parts missing, expired: the ticket stays as it is
//          kNotFound   no such ticket, or not the caller's
//          kStore, kDatabase: nothing was kept, try again
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "domain/access.h"
#include "domain/direct_ports.h"
#include "domain/upload.h"

namespace cloakroom {

struct DirectRequest {
  Caller caller;
  std::optional<std::string> dialog_id;
  std::string filename;      // as the client sent it; cleaned here
  std::string content_type;  // lower case, no parameters; "application/octet-stream" when the client does not know
  std::uint64_t size_bytes = 0;
  std::optional<Sha256Digest> sha256;
  UploadClaim claim = {};
};

struct DirectTicket {
  Uuid id;
  TimePoint expires_at;
  BrowserRequest request;        // empty when the file goes in parts
  std::uint64_t part_bytes = 0;  // 0: not in parts
  unsigned part_count = 0;
};

struct DirectRules {
  std::chrono::seconds expires{3600};
  std::uint64_t part_bytes = 64ULL << 20;  // larger files go in parts of this size
  unsigned max_parts = 1000;               // the size grows when there would be more
};

// One store, as these stories need it.
struct DirectPlace {
  BlobStore* store = nullptr;  // null: it is not configured
  DirectStore* direct = nullptr;
};

struct Completed {
  Attachment attachment;
  bool is_new = false;  // false: an earlier call had made it
};

class DirectUploads {
 public:
  struct Parts {
    Rows& rows;
    DirectUploadRows& tickets;
    BlobStore& store;  // of new tickets
    DirectStore& direct;
    Sniffer& sniffer;
    const Clock& clock;
    // Of tickets that were given out while new files went to another store; empty: there is none.
    std::function<DirectPlace(StoreKind)> elsewhere = {};
  };
  DirectUploads(Parts parts, UploadRules uploads, DirectRules rules)
      : p_(std::move(parts)), uploads_(std::move(uploads)), rules_(rules) {}

  Result<DirectTicket> open(const DirectRequest& request);
  // Signed requests for some parts of an upload in parts, in the order asked for.
  Result<std::vector<BrowserRequest>> sign_parts(const Caller& caller, const Uuid& id,
                                                 std::span<const unsigned> numbers);
  // `parts` is empty unless the upload is in parts. Copying and reading the object costs an upload once more.
  Result<Completed> complete(const Caller& caller, const Uuid& id, std::span<const UploadedPart> parts,
                             const UploadClaim& claim = {});

 private:
  Status add_ticket(const DirectUpload& upload, const Caller& caller);
  Error give_up(const DirectUpload& upload, Error why);
  Result<DirectUpload> own(const Caller& caller, const Uuid& id);
  // What the ticket is for; kStore when that store is not configured any more.
  Result<DirectPlace> place_of(const DirectUpload& upload) const;
  Status check_open(const DirectUpload& upload) const;
  Result<Completed> existing(const Caller& caller, const DirectUpload& upload);
  Result<Completed> take(const DirectUpload& upload, std::span<const UploadedPart> parts);
  struct FirstLook {
    std::string type;
    bool is_stripped = false;  // its metadata will be
  };
  // One upload, and the store that has it.
  struct Taking {
    const DirectUpload& upload;
    BlobStore& store;
  };
  Result<FirstLook> look(const ObjectKey& key, const Taking& taking);
  Status check_type(const DirectUpload& upload, const std::string& type) const;
  Status read_and_scan(const Taking& taking, const ObjectKey& key, ByteSink& all,
                       const std::function<Sha256Digest()>& digest);
  Status read_copy(const Taking& taking, const ObjectKey& key, ByteSink& all,
                   const std::function<Sha256Digest()>& digest, Attachment& attachment);
  Status check_copy(const Taking& taking, const ObjectKey& key, Attachment& attachment);
  Status check_whole(const DirectUpload& upload, const Sha256Digest& digest) const;
  Status check_spooled(const DirectUpload& upload, const FileRange& bytes, std::string_view type);
  Status put_stripped(const Taking& taking, const ObjectKey& key, const ObjectMeta& meta, Attachment& attachment);
  Error reject(const DirectUpload& upload, Error why);

  Parts p_;
  UploadRules uploads_;
  DirectRules rules_;
};

}  // namespace cloakroom

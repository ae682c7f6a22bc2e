// ports.h — what the domain needs from the outside world. Adapters (storage/, db/, media/) implement it; tests fake it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.h"
#include "base/file.h"
#include "base/result.h"
#include "base/time.h"
#include "domain/attachment.h"
#include "domain/object_key.h"
#include "domain/quota.h"
#include "domain/spending.h"
#include "domain/variant.h"

namespace cloakroom {

// What a store keeps beside the bytes. A local disk keeps the time alone, as the file's own: whoever changes the file
// changes it. The row has it all.
struct ObjectMeta {
  std::string content_type;
  std::string content_disposition;
  std::string cache_control;
  std::string attachment_id;
  std::optional<TimePoint> created_at = {};
};

struct ObjectInfo {
  std::uint64_t size_bytes = 0;
  std::string content_type;  // empty where the store keeps none
};

struct ByteRange {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
};

// Takes bytes as they come. An error stops the sender and is returned by it.
class ByteSink {
 public:
  virtual ~ByteSink() = default;
  virtual Status write(std::span<const std::byte> bytes) = 0;
};

// Where bytes live. Every method may be repeated with the same arguments and ends in the same state.
// Errors   kNotFound no such object; kDiskFull; kStore the store is away or answers wrongly, retryable says whether a
//          second try may help; kStoreAway, retryable, the store was not asked, for it would not answer now; kInternal
//          a fault of this host.
// Memory   no method holds more than limits::kCopyBufferBytes of an object.
class BlobStore {
 public:
  virtual ~BlobStore() = default;
  virtual StoreKind kind() const = 0;

  // Makes the root folder or the bucket when it is missing. Called once at start and by tools.
  virtual Status prepare() = 0;
  // A cheap question whether put and get would work now.
  virtual Status ready() = 0;
  // Whether a put would be tried at all now, without asking the store: kStoreAway when a breaker would refuse it.
  virtual Status admits() { return Ok{}; }

  // On success the bytes are durable under `key` and their SHA-256 is returned: they are hashed once, on the way.
  // On failure the key may or may not exist; the caller has a deletion job for it.
  virtual Result<Sha256Digest> put(const ObjectKey& key, const FileRange& bytes, const ObjectMeta& meta) = 0;
  virtual Result<ObjectInfo> head(const ObjectKey& key) = 0;
  // Sends exactly `range` (which must lie within the object) to the sink.
  virtual Status get(const ObjectKey& key, const ByteRange& range, ByteSink& sink) = 0;
  // An absent object is a success.
  virtual Status remove(const ObjectKey& key) = 0;
  // The same for many, with as few requests as the store allows; one outcome for each key, in order.
  virtual std::vector<Status> remove_many(std::span<const ObjectKey> keys) {
    std::vector<Status> outcomes;
    outcomes.reserve(keys.size());
    for (const ObjectKey& key : keys) outcomes.push_back(remove(key));
    return outcomes;
  }
  // The bytes of `from` are durable under `to`, too, with `meta` and nothing of the old one's. What was under `to` is
  // replaced. The bytes do not pass through here.
  virtual Status copy(const ObjectKey& from, const ObjectKey& to, const ObjectMeta& meta) = 0;
};

struct PresignRequest {
  std::string_view method = "GET";
  std::chrono::seconds expires{};
  std::string_view content_disposition = {};  // response-content-disposition; empty = as stored
  std::string_view content_type = {};         // response-content-type; empty = as stored
  bool for_browser = false;                   // the public endpoint instead of the internal one
};

// A store whose objects others can fetch by a signed URL. Pure: no round trip.
class Presigner {
 public:
  virtual ~Presigner() = default;
  virtual Result<std::string> presign(const ObjectKey& key, const PresignRequest& request) = 0;
  // The same without scheme and host: "/bucket/key?X-Amz-...", for a proxy that holds the connection itself.
  virtual Result<std::string> presign_path(const ObjectKey& key, const PresignRequest& request) = 0;
  // Whether what is signed now ends with temporary credentials, whatever life was asked for.
  virtual Result<bool> is_temporary() { return false; }
};

// Tells what bytes are by looking at them.
class Sniffer {
 public:
  virtual ~Sniffer() = default;
  virtual Result<std::string> mime_type(std::span<const std::byte> head) = 0;  // "image/png"; never empty
};

class Clock {
 public:
  virtual ~Clock() = default;
  virtual TimePoint now() const = 0;
};

// A stored object that shall be deleted unless the rows that need it are committed first.
struct DeletionTicket {
  std::int64_t id = 0;
};

// What an upload takes before its bytes are stored.
struct UploadClaim {
  Spenders spenders = {};
  RoomRequest room = {};
};

struct ReadableAttachment {
  Attachment attachment;
  bool caller_is_member = false;  // of attachment.dialog_id; false without a dialog or a user
};

// A file, and those of its variants that have the name asked for, one a format.
struct FileAndVariants {
  std::optional<ReadableAttachment> file;
  std::vector<Variant> variants = {};
};

struct LinkRequest {
  std::vector<Uuid> attachment_ids;
  std::string message_id;
  std::optional<std::string> dialog_id;
  std::optional<std::string> uploader_id;  // whose uploads; empty = the service's own
  bool by_service = false;                 // a user must be a member of the dialog and the author of the message
  Quota dialog_quota = {};                 // of the dialog that they are linked in
};

// A second copy of a row's bytes that shall become its object.
struct ObjectSwitch {
  Uuid id;
  StoreKind from = StoreKind::kLocal;
  std::string from_key;  // what the row must still name
  StoreKind to = StoreKind::kS3;
  std::string to_key;
  DeletionTicket ticket;          // of the copy
  std::chrono::seconds linger{};  // then a job deletes the old object
};

// The database. One statement a call, but for link().
// Errors   kDatabase PostgreSQL is away or refused; nothing was changed, or (plan_deletion, commit_upload) at most a
// ticket.
class Rows {
 public:
  virtual ~Rows() = default;
  virtual Status ready() = 0;

  // Before bytes are stored: these objects will be deleted after `grace`; one ticket for each key, in order.
  virtual Result<std::vector<DeletionTicket>> plan_deletions(StoreKind store, std::span<const ObjectKey> keys,
                                                             std::chrono::seconds grace) = 0;
  // The same at the beginning of an upload, which is spent, and whose tickets hold the place it asks for. kTooMany,
  // kQuota: no ticket.
  virtual Result<std::vector<DeletionTicket>> plan_upload(StoreKind store, std::span<const ObjectKey> keys,
                                                          std::chrono::seconds grace, const UploadClaim& /*claim*/) {
    return plan_deletions(store, keys, grace);
  }
  // The upload failed, and its tickets must stay: their place is free again.
  virtual Status give_up_room(std::span<const DeletionTicket> /*tickets*/) { return Ok{}; }
  // What is kept of the user's files and what his uploads under way hold, in the same order of things as a quota is.
  virtual Result<Usage> usage_of(const std::string& /*user_id*/) { return Usage{}; }
  // The upload failed: let them be deleted now. Their place is free at once.
  virtual Status hasten_deletions(std::span<const DeletionTicket> tickets) = 0;
  // The commit point: all rows appear and all tickets vanish, or neither. kConflict when a ticket is gone already.
  // With STORAGE=hybrid the wish for a copy of each (domain/copies.h), and its job, appear with them.
  virtual Status commit_upload(std::span<const Attachment> attachments, std::span<const DeletionTicket> tickets) = 0;

  // The same for files that lie where they shall not stay: each row with a job 'move_object'.
  virtual Status commit_kept(std::span<const Attachment> attachments, std::span<const DeletionTicket> tickets) = 0;
  // A file that lives elsewhere: there are no bytes to wait for, and no ticket. With a message_id it is linked at once.
  virtual Status add_external(const Attachment& attachment) = 0;
  // All of it or nothing. kConflict when the row names another object by now, is gone, or the ticket is.
  virtual Status switch_object(const ObjectSwitch& change) = 0;

  virtual Result<std::optional<ReadableAttachment>> find(const Uuid& id, const std::optional<std::string>& user_id) = 0;
  // The same, and one download is spent. kTooMany when there is none left, or no miss: whether there is such a file or
  // not. A meter that fails lets everybody pass.
  virtual Result<std::optional<ReadableAttachment>> find_within(const Uuid& id,
                                                                const std::optional<std::string>& user_id,
                                                                const Spenders& /*spenders*/) {
    return find(id, user_id);
  }
  // The same, and with it what is there of its variants of this name. None of them: perhaps there are some all the
  // same.
  virtual Result<FileAndVariants> find_with_variants(const Uuid& id, const std::optional<std::string>& user_id,
                                                     const Spenders& spenders, std::string_view /*name*/) {
    TRY_ASSIGN(auto file, find_within(id, user_id, spenders));
    return FileAndVariants{std::move(file)};
  }
  // One is spent; kTooMany when there was none left.
  virtual Status spend(const Spenders& /*spenders*/, Budget /*budget*/) { return Ok{}; }
  virtual Result<std::vector<ReadableAttachment>> find_by_messages(std::span<const std::string> message_ids,
                                                                   const std::optional<std::string>& user_id) = 0;
  virtual Result<std::vector<Attachment>> find_unlinked(const std::optional<std::string>& uploader_id,
                                                        std::size_t most) = 0;

  // All or nothing. kConflict, with a sentence for the client, when one cannot be tied; kQuota when the dialog has no
  // room for them; nothing is changed then.
  virtual Result<std::vector<Attachment>> link(const LinkRequest& request) = 0;
  // Deletes the row if it is unlinked or quarantined; its object follows by trigger and job. False: linked meanwhile,
  // or gone.
  virtual Result<bool> remove_unlinked(const Uuid& id) = 0;
  // From the next request on nobody gets the bytes. False: the row is gone.
  virtual Result<bool> quarantine(const Uuid& id) = 0;
  virtual Result<std::uint64_t> remove_message(const std::string& message_id) = 0;  // how many rows

  virtual Status replace_members(const std::string& dialog_id, std::span<const std::string> user_ids) = 0;
};

}  // namespace cloakroom

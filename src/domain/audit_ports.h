// audit_ports.h — what an audit needs: everything a store holds and everything the database knows, both in one order.
//
// Order    ascending by the bytes of the key, in both streams.
// Memory   a bounded part of either stream at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/digest.h"
#include "base/id.h"
#include "base/result.h"
#include "base/time.h"
#include "domain/attachment.h"

namespace cloakroom {

struct ListedObject {
  std::string key;
  std::uint64_t size_bytes = 0;
  TimePoint changed_at;  // by the store's clock
};

// All objects of a store, one after the other.
// Errors   kStore, kInternal; after a retryable one next() may be called again.
class ObjectListing {
 public:
  virtual ~ObjectListing() = default;
  virtual Result<std::optional<ListedObject>> next() = 0;  // nothing: that was all
  virtual TimePoint now() const = 0;                       // by the clock that changed_at is of
};

// What the database knows of an object: the row it belongs to (a file's, a variant's, a copy's), or a promise that
// somebody will deal with it (an upload under way, a deletion that waits for a job).
struct KnownObject {
  enum class Owner { kFile, kVariant, kCopy, kPromise };
  Owner owner = Owner::kFile;
  std::string key;
  // Not of a promise:
  Uuid attachment_id = {};
  std::string variant = {};  // "thumb/webp"; empty: the file itself
  std::uint64_t size_bytes = 0;
  Sha256Digest sha256{};
  bool has_original = true;  // of a variant: whether there is a row of its file
};

// Errors   kDatabase, also when the connection was lost after begin(): then begin anew.
class AuditRows {
 public:
  virtual ~AuditRows() = default;
  // What is known as of now, for next(); returns how many rows (promises are not counted).
  virtual Result<std::uint64_t> begin(StoreKind store) = 0;
  virtual Result<std::optional<KnownObject>> next() = 0;
  // What is known of these keys now, in their order; a row goes before a promise. One look: rows become promises and
  // promises rows in single transactions, so nothing that lives is ever seen as neither.
  virtual Result<std::vector<std::optional<KnownObject>>> look(StoreKind store, std::span<const std::string> keys) = 0;
  // Jobs that delete these objects, but for those that are known by now. For each key, whether there is one.
  virtual Result<std::vector<bool>> queue_deletions(StoreKind store, std::span<const std::string> keys) = 0;
  // False: it was gone.
  virtual Result<bool> remove_variant(StoreKind store, const std::string& key) = 0;
  // That copy is wanted anew. False: its row says something else by now.
  virtual Result<bool> want_copy_again(StoreKind store, const KnownObject& copy) = 0;
};

}  // namespace cloakroom

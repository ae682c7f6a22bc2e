// object_copy.h — puts the bytes of a row into another store, and proves that they are there.
//
// Rule     the recorded SHA-256 is the judge: neither the source nor the answer of a put is trusted.
// Errors   those of the store; kInternal the bytes are not what the row says, or the copy is not what was sent
// Memory   one copy buffer.
#pragma once

#include <functional>

#include "domain/ports.h"
#include "domain/stored_meta.h"

namespace cloakroom {

// kHash: the copy is read back. kSize: the store is asked for its size; its word for the bytes is the put, which every
// store hashes or checks by the hash that it was signed with.
enum class Proof { kHash, kSize };

struct CopyRules {
  std::string object_cache_control;
  StoredHeadersOf stored_headers = {};
  Proof proof = Proof::kSize;
  // Called with bytes of a copy as they are read back; may sleep. An error ends it.
  std::function<Status(std::size_t)> pace = [](std::size_t) -> Status { return Ok{}; };
};

class ObjectCopier {
 public:
  ObjectCopier(BlobStore& target, CopyRules rules) : target_(target), rules_(std::move(rules)) {}

  // On success `to` holds the bytes of `file`, proved as the rules say.
  Status put(const Attachment& file, const FileRange& bytes, const ObjectKey& to);
  // Whether `to` holds exactly these bytes, by reading them all. False: it is absent, or something else.
  Result<bool> holds(const Attachment& file, const ObjectKey& to);

 private:
  Status prove(const Attachment& file, const ObjectKey& to);

  BlobStore& target_;
  CopyRules rules_;
};

}  // namespace cloakroom

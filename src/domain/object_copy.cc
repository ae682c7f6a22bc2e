// object_copy.cc — put, compare, ask back.
#include "domain/object_copy.h"

#include "domain/hashing_sink.h"

namespace cloakroom {

Status ObjectCopier::put(const Attachment& file, const FileRange& bytes, const ObjectKey& to) {
  const ObjectMeta meta = stored_meta(file, rules_.object_cache_control, rules_.stored_headers);
  TRY_ASSIGN(const Sha256Digest digest, target_.put(to, bytes, meta));
  if (digest != file.sha256) return Error{Errc::kInternal, "cannot copy: the file is not what its row says"};
  return prove(file, to);
}

Status ObjectCopier::prove(const Attachment& file, const ObjectKey& to) {
  if (rules_.proof == Proof::kHash) {
    TRY_ASSIGN(const bool is_same, holds(file, to));
    if (is_same) return Ok{};
    return Error{Errc::kInternal, "cannot copy: the store gives back other bytes than it was sent"};
  }
  TRY_ASSIGN(const ObjectInfo stored, target_.head(to));
  if (stored.size_bytes == file.size_bytes) return Ok{};
  return Error{Errc::kStore, "cannot copy: the store has another size than it was sent", {}, true};
}

Result<bool> ObjectCopier::holds(const Attachment& file, const ObjectKey& to) {
  const auto stored = target_.head(to);
  if (!stored && stored.error().code == Errc::kNotFound) return false;
  if (!stored) return stored.error();
  if (stored->size_bytes != file.size_bytes) return false;
  HashingSink sink(rules_.pace);
  if (file.size_bytes > 0) TRY(target_.get(to, {0, file.size_bytes}, sink));
  return sink.finish() == file.sha256;
}

}  // namespace cloakroom

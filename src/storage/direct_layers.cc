// direct_layers.cc — each operation of a DirectStore, repeated and guarded.
#include "storage/direct_layers.h"

namespace cloakroom {

Result<BrowserRequest> RetryingDirectStore::sign_upload(const DirectObject& object, std::chrono::seconds expires) {
  return inner_.sign_upload(object, expires);
}

Result<BrowserRequest> RetryingDirectStore::sign_part(const PartsRef& upload, const PartOf& part,
                                                      std::chrono::seconds expires) {
  return inner_.sign_part(upload, part, expires);
}

Result<std::string> RetryingDirectStore::begin_parts(const DirectObject& object) {
  return retrier_.repeat([&] { return inner_.begin_parts(object); });
}

Status RetryingDirectStore::finish_parts(const PartsRef& upload, std::span<const UploadedPart> parts,
                                         std::uint64_t size_bytes) {
  return retrier_.repeat([&] { return inner_.finish_parts(upload, parts, size_bytes); });
}

Status RetryingDirectStore::abort_parts(const PartsRef& upload) {
  return retrier_.repeat([&] { return inner_.abort_parts(upload); });
}

Result<BrowserRequest> GuardedDirectStore::sign_upload(const DirectObject& object, std::chrono::seconds expires) {
  return inner_.sign_upload(object, expires);
}

Result<BrowserRequest> GuardedDirectStore::sign_part(const PartsRef& upload, const PartOf& part,
                                                     std::chrono::seconds expires) {
  return inner_.sign_part(upload, part, expires);
}

Result<std::string> GuardedDirectStore::begin_parts(const DirectObject& object) {
  return guard_.run([&] { return inner_.begin_parts(object); });
}

Status GuardedDirectStore::finish_parts(const PartsRef& upload, std::span<const UploadedPart> parts,
                                        std::uint64_t size_bytes) {
  return guard_.run([&] { return inner_.finish_parts(upload, parts, size_bytes); });
}

Status GuardedDirectStore::abort_parts(const PartsRef& upload) {
  return guard_.run([&] { return inner_.abort_parts(upload); });
}

}  // namespace cloakroom

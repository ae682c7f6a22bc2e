// s3_objects.cc — one object of the list after the other.
#include "storage/s3_objects.h"

namespace cloakroom {

Result<std::optional<ListedObject>> S3Objects::next() {
  TRY_ASSIGN(auto object, retrier_.repeat([this] { return listing_.next(); }));
  if (!object) return std::optional<ListedObject>();
  const auto changed_at = parse_iso8601(object->last_modified);
  if (!changed_at) return Error{Errc::kStore, "the store lists an object with a time that cannot be read"};
  return std::optional(ListedObject{std::move(object->key), object->size_bytes, *changed_at});
}

}  // namespace cloakroom

// move_object.cc — payload to id and key, then the mover.
#include "jobs/move_object.h"

#include "base/json.h"

namespace cloakroom {

JobHandler move_object_handler(Mover& mover) {
  return [&mover](const Job& job) -> Status {
    const Error malformed{Errc::kInternal, "the payload of a move_object job is malformed"};
    auto root = parse_json(job.payload);
    if (!root) return malformed;
    const char* id = nullptr;
    const char* store = nullptr;
    const char* key = nullptr;
    std::size_t key_size = 0;
    if (json_unpack(root->get(), "{s:s, s:s, s:s%}", "id", &id, "store", &store, "key", &key, &key_size) != 0) {
      return malformed;
    }
    const auto uuid = parse_uuid(id);
    const auto from = ObjectKey::parse({key, key_size});
    if (!uuid || !from || parse_store_kind(store) != StoreKind::kLocal) return malformed;
    return mover.move(*uuid, *from);
  };
}

}  // namespace cloakroom

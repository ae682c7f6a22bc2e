// delete_object.cc — payload to key, key to store, store.remove().
#include "jobs/delete_object.h"

#include <utility>

#include "base/json.h"

namespace cloakroom {
namespace {

struct Target {
  StoreKind store;
  ObjectKey key;
};

Error malformed() {
  return Error{Errc::kInternal, "the payload of a delete_object job is malformed"};
}

Result<Target> parse_payload(const std::string& payload) {
  auto root = parse_json(payload);
  if (!root) return malformed();
  const char* store = nullptr;
  const char* key = nullptr;
  std::size_t key_size = 0;
  if (json_unpack(root->get(), "{s:s, s:s%}", "store", &store, "key", &key, &key_size) != 0) return malformed();
  const auto kind = parse_store_kind(store);
  auto parsed = ObjectKey::parse({key, key_size});
  if (!kind || !parsed) return malformed();  // parse()'s own words may quote the key
  return Target{*kind, std::move(*parsed)};
}

}  // namespace

JobHandler delete_object_handler(StoreOfKind store_of_kind) {
  return [stores = std::move(store_of_kind)](const Job& job) -> Status {
    TRY_ASSIGN(const auto target, parse_payload(job.payload));
    BlobStore* store = stores(target.store);
    if (store == nullptr) {
      return Error{Errc::kInternal, "the store '" + std::string(to_string(target.store)) + "' is not configured here"};
    }
    return store->remove(target.key);
  };
}

}  // namespace cloakroom

// delete_object.cc — payloads to keys, keys to stores, store.remove_many().
#include "jobs/delete_object.h"

#include <map>
#include <utility>
#include <vector>

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

JobGroupHandler delete_objects_handler(StoreOfKind store_of_kind) {
  return [stores = std::move(store_of_kind)](std::span<const Job> jobs) {
    struct Share {
      std::vector<std::size_t> places;
      std::vector<ObjectKey> keys;
    };
    std::map<StoreKind, Share> shares;
    std::vector<Status> outcomes(jobs.size(), Status(Ok{}));
    for (std::size_t i = 0; i < jobs.size(); ++i) {
      auto target = parse_payload(jobs[i].payload);
      if (!target) {
        outcomes[i] = target.error();
        continue;
      }
      Share& share = shares[target->store];
      share.places.push_back(i);
      share.keys.push_back(std::move(target->key));
    }
    for (const auto& [kind, share] : shares) {
      BlobStore* store = stores(kind);
      if (store == nullptr) {
        const Error away{Errc::kInternal, "the store '" + std::string(to_string(kind)) + "' is not configured here"};
        for (const std::size_t place : share.places) outcomes[place] = away;
        continue;
      }
      std::vector<Status> removed = store->remove_many(share.keys);
      for (std::size_t i = 0; i < removed.size(); ++i) outcomes[share.places[i]] = std::move(removed[i]);
    }
    return outcomes;
  };
}

}  // namespace cloakroom

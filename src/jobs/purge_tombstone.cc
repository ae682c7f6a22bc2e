// purge_tombstone.cc — payloads to tombstones, tombstones to objects, store.remove_many().
#include "jobs/purge_tombstone.h"

#include <map>
#include <utility>

#include "base/json.h"

namespace cloakroom {
namespace {

Result<Uuid> parse_payload(const std::string& payload) {
  const Error malformed{Errc::kInternal, "the payload of a purge_tombstone job is malformed"};
  const auto root = parse_json(payload);
  const char* id = nullptr;
  if (!root || json_unpack(root->get(), "{s:s}", "id", &id) != 0) return malformed;
  const auto uuid = parse_uuid(id);
  if (!uuid) return malformed;
  return *uuid;
}

// What became of each tombstone; the first thing that went wrong with one of its objects.
struct ById {
  bool operator()(const Uuid& a, const Uuid& b) const { return a.bytes < b.bytes; }
};
using Outcomes = std::map<Uuid, Status, ById>;

void note(Outcomes& outcomes, const Uuid& tombstone, const Status& outcome) {
  Status& whole = outcomes.at(tombstone);
  if (whole && !outcome) whole = outcome;
}

void remove_objects(const std::vector<BuriedObject>& objects, const StoreOfKind& stores, Outcomes& outcomes) {
  struct Share {
    std::vector<Uuid> tombstones;
    std::vector<ObjectKey> keys;
  };
  std::map<StoreKind, Share> shares;
  for (const BuriedObject& object : objects) {
    auto key = ObjectKey::parse(object.key);
    if (!key) {  // parse()'s own words may quote the key
      note(outcomes, object.tombstone, Error{Errc::kInternal, "the key of a tombstone's object is malformed"});
      continue;
    }
    Share& share = shares[object.store];
    share.tombstones.push_back(object.tombstone);
    share.keys.push_back(*std::move(key));
  }
  for (const auto& [kind, share] : shares) {
    BlobStore* const store = stores(kind);
    std::vector<Status> removed;
    if (store != nullptr) {
      removed = store->remove_many(share.keys);
    } else {
      const Error away{Errc::kInternal, "the store '" + std::string(to_string(kind)) + "' is not configured here"};
      removed.assign(share.keys.size(), away);
    }
    for (std::size_t i = 0; i < removed.size(); ++i) note(outcomes, share.tombstones[i], removed[i]);
  }
}

Status purge(Tombstones& tombstones, const StoreOfKind& stores, Outcomes& outcomes) {
  std::vector<Uuid> ids;
  for (const auto& [id, outcome] : outcomes) ids.push_back(id);
  TRY_ASSIGN(const auto objects, tombstones.begin_purge(ids));
  remove_objects(objects, stores, outcomes);
  std::erase_if(ids, [&](const Uuid& id) { return !outcomes.at(id); });
  return tombstones.forget(ids);
}

}  // namespace

JobGroupHandler purge_tombstones_handler(Tombstones& tombstones, StoreOfKind store_of_kind) {
  return [&tombstones, stores = std::move(store_of_kind)](std::span<const Job> jobs) {
    std::vector<Result<Uuid>> ids;
    Outcomes outcomes;
    for (const Job& job : jobs) {
      ids.push_back(parse_payload(job.payload));
      if (ids.back()) outcomes.insert({*ids.back(), Status(Ok{})});
    }
    const Status done = outcomes.empty() ? Status(Ok{}) : purge(tombstones, stores, outcomes);
    std::vector<Status> out;
    for (const Result<Uuid>& id : ids) {
      if (!id) {
        out.emplace_back(id.error());
      } else {
        out.push_back(done ? outcomes.at(*id) : done);
      }
    }
    return out;
  };
}

}  // namespace cloakroom

// guarded.cc — each operation of a BlobStore as a guarded call.
#include "storage/guarded.h"

#include <algorithm>

namespace cloakroom {
namespace {

// Bytes that come are a sign of life.
class LiveSink final : public ByteSink {
 public:
  LiveSink(ByteSink& inner, CallGuard& guard) : inner_(inner), guard_(guard) {}
  Status write(std::span<const std::byte> bytes) override {
    guard_.moved();
    return inner_.write(bytes);
  }

 private:
  ByteSink& inner_;
  CallGuard& guard_;
};

}  // namespace

Result<Sha256Digest> GuardedStore::put(const ObjectKey& key, const FileRange& bytes, const ObjectMeta& meta) {
  return guard_.run([&] { return inner_.put(key, bytes, meta); });
}

Result<ObjectInfo> GuardedStore::head(const ObjectKey& key) {
  return guard_.run([&] { return inner_.head(key); });
}

Status GuardedStore::get(const ObjectKey& key, const ByteRange& range, ByteSink& sink) {
  LiveSink live(sink, guard_);
  return guard_.run([&] { return inner_.get(key, range, live); });
}

Status GuardedStore::remove(const ObjectKey& key) {
  return guard_.run([&] { return inner_.remove(key); });
}

std::vector<Status> GuardedStore::remove_many(std::span<const ObjectKey> keys) {
  std::vector<Status> outcomes;
  const Status asked = guard_.run([&]() -> Status {
    outcomes = inner_.remove_many(keys);
    const auto failed = std::find_if(outcomes.begin(), outcomes.end(), [](const Status& one) { return !one; });
    return failed == outcomes.end() ? Status(Ok{}) : *failed;
  });
  if (outcomes.empty()) outcomes.assign(keys.size(), asked);
  return outcomes;
}

Status GuardedStore::copy(const ObjectKey& from, const ObjectKey& to, const ObjectMeta& meta) {
  return guard_.run([&] { return inner_.copy(from, to, meta); });
}

}  // namespace cloakroom

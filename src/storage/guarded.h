// guarded.h — a BlobStore that refuses at once what a breaker or a bulkhead says would only wait.
//
// Order    and errors as CallGuard: outside of RetryingStore.
// ready()  is asked whatever the breaker says, and its answer counts: readyz brings the store back. When all places are
//          taken and bytes move the store evidently works; when nothing moves it does not, unless a call is silent by
//          nature: then the store is asked without a place.
// prepare() is for starts and tools, and passes as it is.
// Lifetime store and guard are borrowed.
#pragma once

#include "base/call_guard.h"
#include "domain/ports.h"

namespace cloakroom {

class GuardedStore final : public BlobStore {
 public:
  GuardedStore(BlobStore& inner, CallGuard& guard) : inner_(inner), guard_(guard) {}

  StoreKind kind() const override { return inner_.kind(); }
  Status prepare() override { return inner_.prepare(); }
  Status admits() override { return guard_.admits(); }
  Status ready() override { return guard_.ready(); }
  Result<Sha256Digest> put(const ObjectKey& key, const FileRange& bytes, const ObjectMeta& meta) override;
  Result<ObjectInfo> head(const ObjectKey& key) override;
  Status get(const ObjectKey& key, const ByteRange& range, ByteSink& sink) override;
  Status remove(const ObjectKey& key) override;
  std::vector<Status> remove_many(std::span<const ObjectKey> keys) override;
  Status copy(const ObjectKey& from, const ObjectKey& to, const ObjectMeta& meta) override;

 private:
  BlobStore& inner_;
  CallGuard& guard_;
};

}  // namespace cloakroom

// guarded.h — a BlobStore that refuses at once what a breaker or a bulkhead says would only wait.
//
// Order    outside of RetryingStore: one failure here is a call that was repeated already.
// Errors   kStoreAway, retryable: the store was not asked for this. Else the inner store's own.
// ready()  is asked whatever the breaker says, and its answer counts: readyz brings the store back. When all places are
//          taken and bytes move the store evidently works; when nothing moves it does not.
// prepare() is for starts and tools, and passes as it is.
// Lifetime store, breaker and bulkhead are borrowed.
#pragma once

#include "domain/ports.h"
#include "storage/breaker.h"
#include "storage/bulkhead.h"

namespace cloakroom {

class GuardedStore final : public BlobStore {
 public:
  GuardedStore(BlobStore& inner, Breaker& breaker, Bulkhead& bulkhead)
      : inner_(inner), breaker_(breaker), bulkhead_(bulkhead) {}

  StoreKind kind() const override { return inner_.kind(); }
  Status prepare() override { return inner_.prepare(); }
  Status admits() override;
  Status ready() override;
  Result<Sha256Digest> put(const ObjectKey& key, const FileRange& bytes, const ObjectMeta& meta) override;
  Result<ObjectInfo> head(const ObjectKey& key) override;
  Status get(const ObjectKey& key, const ByteRange& range, ByteSink& sink) override;
  Status remove(const ObjectKey& key) override;
  std::vector<Status> remove_many(std::span<const ObjectKey> keys) override;
  Status copy(const ObjectKey& from, const ObjectKey& to, const ObjectMeta& meta) override;

 private:
  template <class Call>
  auto guard(const Call& call) -> decltype(call());
  Status pass_breaker();

  BlobStore& inner_;
  Breaker& breaker_;
  Bulkhead& bulkhead_;
};

}  // namespace cloakroom

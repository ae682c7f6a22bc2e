// direct_layers.h — retries and guard around a DirectStore, as retry.h and guarded.h have them around a BlobStore.
//
// Order    GuardedDirectStore(RetryingDirectStore(store)). What only signs passes as it is: it makes no round trip.
// Shared   guard and purse are those of the store's other calls, so that all of them learn from each other.
// Errors   kStoreAway, retryable: the store was not asked. Else the inner store's own.
// Lifetime the inner store and the guard are borrowed. Not for two threads.
#pragma once

#include "base/call_guard.h"
#include "domain/direct_ports.h"
#include "storage/retry.h"

namespace cloakroom {

class RetryingDirectStore final : public DirectStore {
 public:
  RetryingDirectStore(DirectStore& inner, Retrier retrier) : inner_(inner), retrier_(std::move(retrier)) {}

  Result<BrowserRequest> sign_upload(const DirectObject& object, std::chrono::seconds expires) override;
  Result<BrowserRequest> sign_part(const PartsRef& upload, const PartOf& part, std::chrono::seconds expires) override;
  // An upload whose id was lost on the way stays until it is swept.
  Result<std::string> begin_parts(const DirectObject& object) override;
  Status finish_parts(const PartsRef& upload, std::span<const UploadedPart> parts, std::uint64_t size_bytes) override;
  Status abort_parts(const PartsRef& upload) override;

 private:
  DirectStore& inner_;
  Retrier retrier_;
};

class GuardedDirectStore final : public DirectStore {
 public:
  GuardedDirectStore(DirectStore& inner, CallGuard& guard) : inner_(inner), guard_(guard) {}

  Result<BrowserRequest> sign_upload(const DirectObject& object, std::chrono::seconds expires) override;
  Result<BrowserRequest> sign_part(const PartsRef& upload, const PartOf& part, std::chrono::seconds expires) override;
  Result<std::string> begin_parts(const DirectObject& object) override;
  Status finish_parts(const PartsRef& upload, std::span<const UploadedPart> parts, std::uint64_t size_bytes) override;
  Status abort_parts(const PartsRef& upload) override;

 private:
  DirectStore& inner_;
  CallGuard& guard_;
};

}  // namespace cloakroom

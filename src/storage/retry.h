// retry.h — a BlobStore that repeats what another one failed at, if a second try may help.
//
// Policy   at most `attempts` tries. Pause before the n-th repetition: a random part (0..1, "full jitter") of
//          min(cap, base * 2^(n-1)); the base is longer when the store asked for fewer requests (Error::throttled).
// Reads    get() is repeated only while no byte has reached the sink; S3Store resumes a broken body itself.
// Signing  the inner store signs each call anew, so no attempt carries an old signature.
// Lifetime the inner store is borrowed.
#pragma once

#include <chrono>
#include <functional>

#include "domain/ports.h"

namespace cloakroom {

struct RetryPolicy {
  unsigned attempts = 3;
  std::chrono::milliseconds base{50};
  std::chrono::milliseconds throttled_base{1000};
  std::chrono::milliseconds cap{2000};
};

// Injected so that tests neither wait nor guess.
struct RetryTools {
  std::function<void(std::chrono::milliseconds)> sleep;
  std::function<double()> random;  // 0 <= x < 1
};
RetryTools system_retry_tools();

class RetryingStore final : public BlobStore {
 public:
  RetryingStore(BlobStore& inner, const RetryPolicy& policy, RetryTools tools = system_retry_tools())
      : inner_(inner), policy_(policy), tools_(std::move(tools)) {}

  StoreKind kind() const override { return inner_.kind(); }
  Status prepare() override;
  Status ready() override;  // asked once: whoever asks wants to know how it is now
  Result<Sha256Digest> put(const ObjectKey& key, const FileRange& bytes, const ObjectMeta& meta) override;
  Result<ObjectInfo> head(const ObjectKey& key) override;
  Status get(const ObjectKey& key, const ByteRange& range, ByteSink& sink) override;
  Status remove(const ObjectKey& key) override;
  Status copy(const ObjectKey& from, const ObjectKey& to, const ObjectMeta& meta) override;

 private:
  template <class Call>
  auto repeat(const Call& call) -> decltype(call());
  void pause(unsigned repetition, const Error& error);

  BlobStore& inner_;
  RetryPolicy policy_;
  RetryTools tools_;
};

}  // namespace cloakroom

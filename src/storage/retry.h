// retry.h — repeats what failed, if a second try may help; and a BlobStore that does so around another one.
//
// Policy   at most `attempts` tries. Pause before the n-th repetition: a random part (0..1, "full jitter") of
//          min(cap, base * 2^(n-1)); the base is longer when the store asked for fewer requests (Error::throttled).
//          A pause that the store asked for (Error::retry_after) is kept, but for no more than 5 s over our own.
// Quota    every repetition is paid from a purse of tokens, and a success pays back: in an outage the purse is soon
//          empty and each call is tried once, so that the load on a sick store is not multiplied. All that a process
//          asks of one store is paid from one purse.
// Reads    get() is repeated only while no byte has reached the sink; S3Store resumes a broken body itself.
// Signing  the inner store signs each call anew, so no attempt carries an old signature.
// Source   botocore's standard mode (ExponentialBackoff, RetryQuotaChecker); the costs are those of its current
//          version.
// Lifetime the inner store is borrowed, the purse shared. Not for two threads.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>

#include "domain/ports.h"

namespace cloakroom {

struct RetryPolicy {
  unsigned attempts = 3;
  std::chrono::milliseconds base{50};
  std::chrono::milliseconds throttled_base{1000};
  std::chrono::milliseconds cap{2000};
  std::chrono::milliseconds longest_asked{5000};  // over our own pause
};

// Injected so that tests neither wait nor guess.
struct RetryTools {
  std::function<void(std::chrono::milliseconds)> sleep;
  std::function<double()> random;  // 0 <= x < 1
};
RetryTools system_retry_tools();

class RetryQuota {
 public:
  // What the repetition costs; 0: the purse is too empty for it.
  unsigned take(const Error& error);
  // `paid` for the last repetition, 0 when the first try worked.
  void give_back(unsigned paid);
  unsigned left() const { return left_; }

 private:
  unsigned left_ = 500;
};

class Retrier {
 public:
  explicit Retrier(const RetryPolicy& policy, RetryTools tools = system_retry_tools(),
                   std::shared_ptr<RetryQuota> quota = std::make_shared<RetryQuota>())
      : policy_(policy), tools_(std::move(tools)), quota_(std::move(quota)) {}

  // `call` returns a Result; the last one is returned.
  template <class Call>
  auto repeat(const Call& call) -> decltype(call()) {
    unsigned paid = 0;
    for (unsigned attempt = 1;; ++attempt) {
      auto result = call();
      if (result) {
        succeeded(paid);
        return result;
      }
      paid = pause_before_next(attempt, result.error());
      if (paid == 0) return result;
    }
  }

  // For callers with a loop of their own: pauses before try `attempt` + 1 and returns what it cost, or 0 when there
  // should be none.
  unsigned pause_before_next(unsigned attempt, const Error& error);
  // The same for those who have other work meanwhile: how long to wait, and what it cost; none: there should be no try.
  struct Pause {
    std::chrono::milliseconds time{};
    unsigned paid = 0;
  };
  std::optional<Pause> plan_next(unsigned attempt, const Error& error);
  void succeeded(unsigned paid) { quota_->give_back(paid); }

 private:
  RetryPolicy policy_;
  RetryTools tools_;
  std::shared_ptr<RetryQuota> quota_;
};

class RetryingStore final : public BlobStore {
 public:
  RetryingStore(BlobStore& inner, const RetryPolicy& policy, RetryTools tools = system_retry_tools())
      : inner_(inner), retrier_(policy, std::move(tools)) {}
  RetryingStore(BlobStore& inner, Retrier retrier) : inner_(inner), retrier_(std::move(retrier)) {}

  StoreKind kind() const override { return inner_.kind(); }
  Status prepare() override;
  Status ready() override;  // asked once: whoever asks wants to know how it is now
  Result<Sha256Digest> put(const ObjectKey& key, const FileRange& bytes, const ObjectMeta& meta) override;
  Result<ObjectInfo> head(const ObjectKey& key) override;
  Status get(const ObjectKey& key, const ByteRange& range, ByteSink& sink) override;
  Status remove(const ObjectKey& key) override;
  std::vector<Status> remove_many(std::span<const ObjectKey> keys) override;  // repeats for those that may pass
  Status copy(const ObjectKey& from, const ObjectKey& to, const ObjectMeta& meta) override;

 private:
  BlobStore& inner_;
  Retrier retrier_;
};

}  // namespace cloakroom

// retry.cc — the pauses, the purse, and a sink that knows whether it was touched.
#include "storage/retry.h"

#include <algorithm>
#include <random>
#include <thread>

namespace cloakroom {
namespace {

using std::chrono::milliseconds;

constexpr unsigned kPurse = 500;
constexpr unsigned kRetryCost = 14;
constexpr unsigned kThrottledCost = 5;
constexpr unsigned kSuccessGain = 1;

class WatchedSink final : public ByteSink {
 public:
  explicit WatchedSink(ByteSink& inner) : inner_(inner) {}
  Status write(std::span<const std::byte> bytes) override {
    touched_ = touched_ || !bytes.empty();
    return inner_.write(bytes);
  }
  bool touched() const { return touched_; }

 private:
  ByteSink& inner_;
  bool touched_ = false;
};

}  // namespace

RetryTools system_retry_tools() {
  // Seeded at the first draw, not here: forked children that inherit this must not pause in step.
  return {[](milliseconds time) { std::this_thread::sleep_for(time); },
          [engine = std::optional<std::minstd_rand>()]() mutable {
            if (!engine) engine.emplace(std::random_device{}());
            return std::uniform_real_distribution<double>(0.0, 1.0)(*engine);
          }};
}

unsigned RetryQuota::take(const Error& error) {
  const unsigned cost = error.throttled ? kThrottledCost : kRetryCost;
  if (cost > left_) return 0;
  left_ -= cost;
  return cost;
}

void RetryQuota::give_back(unsigned paid) {
  left_ = std::min(kPurse, left_ + (paid > 0 ? paid : kSuccessGain));
}

std::optional<Retrier::Pause> Retrier::plan_next(unsigned attempt, const Error& error) {
  if (!error.retryable || error.was_repeated || attempt >= policy_.attempts) return std::nullopt;
  const unsigned cost = quota_->take(error);
  if (cost == 0) return std::nullopt;
  const milliseconds base = error.throttled ? policy_.throttled_base : policy_.base;
  const auto longest = std::min<milliseconds>(policy_.cap, base * (1U << std::min(attempt - 1, 16U)));
  const milliseconds own(static_cast<long>(tools_.random() * static_cast<double>(longest.count())));
  return Pause{std::clamp(error.retry_after, own, own + policy_.longest_asked), cost};
}

unsigned Retrier::pause_before_next(unsigned attempt, const Error& error) {
  const std::optional<Pause> pause = plan_next(attempt, error);
  if (!pause) return 0;
  tools_.sleep(pause->time);
  return pause->paid;
}

Status RetryingStore::prepare() {
  return retrier_.repeat([&] { return inner_.prepare(); });
}

Status RetryingStore::ready() {
  return inner_.ready();
}

Result<Sha256Digest> RetryingStore::put(const ObjectKey& key, const FileRange& bytes, const ObjectMeta& meta) {
  return retrier_.repeat([&] { return inner_.put(key, bytes, meta); });
}

Result<ObjectInfo> RetryingStore::head(const ObjectKey& key) {
  return retrier_.repeat([&] { return inner_.head(key); });
}

Status RetryingStore::get(const ObjectKey& key, const ByteRange& range, ByteSink& sink) {
  WatchedSink watched(sink);
  return retrier_.repeat([&] {
    Status status = inner_.get(key, range, watched);
    if (!status && watched.touched()) {
      Error error = std::move(status).error();
      error.retryable = false;  // the sink cannot take bytes back
      return Status(std::move(error));
    }
    return status;
  });
}

Status RetryingStore::remove(const ObjectKey& key) {
  return retrier_.repeat([&] { return inner_.remove(key); });
}

std::vector<Status> RetryingStore::remove_many(std::span<const ObjectKey> keys) {
  std::vector<Status> outcomes = inner_.remove_many(keys);
  unsigned paid = 0;
  for (unsigned attempt = 1;; ++attempt) {
    std::vector<std::size_t> passing;
    std::vector<ObjectKey> again;
    const Error* asks_most = nullptr;  // for the longest pause
    for (std::size_t i = 0; i < keys.size(); ++i) {
      if (outcomes[i] || !outcomes[i].error().retryable) continue;
      const Error& error = outcomes[i].error();
      if (asks_most == nullptr || error.throttled > asks_most->throttled) asks_most = &error;
      passing.push_back(i);
      again.push_back(keys[i]);
    }
    if (asks_most == nullptr) {
      retrier_.succeeded(paid);
      return outcomes;
    }
    paid = retrier_.pause_before_next(attempt, *asks_most);
    if (paid == 0) return outcomes;
    std::vector<Status> later = inner_.remove_many(again);
    for (std::size_t i = 0; i < passing.size(); ++i) outcomes[passing[i]] = std::move(later[i]);
  }
}

Status RetryingStore::copy(const ObjectKey& from, const ObjectKey& to, const ObjectMeta& meta) {
  return retrier_.repeat([&] { return inner_.copy(from, to, meta); });
}

}  // namespace cloakroom

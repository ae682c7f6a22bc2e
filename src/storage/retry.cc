// retry.cc — the loop, the pause, and a sink that knows whether it was touched.
#include "storage/retry.h"

#include <algorithm>
#include <optional>
#include <random>
#include <thread>

namespace cloakroom {
namespace {

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
  return {[](std::chrono::milliseconds time) { std::this_thread::sleep_for(time); },
          [engine = std::optional<std::minstd_rand>()]() mutable {
            if (!engine) engine.emplace(std::random_device{}());
            return std::uniform_real_distribution<double>(0.0, 1.0)(*engine);
          }};
}

void RetryingStore::pause(unsigned repetition, const Error& error) {
  const std::chrono::milliseconds base = error.throttled ? policy_.throttled_base : policy_.base;
  const auto longest = std::min<std::chrono::milliseconds>(policy_.cap, base * (1U << std::min(repetition - 1, 16U)));
  tools_.sleep(std::chrono::milliseconds(static_cast<long>(tools_.random() * static_cast<double>(longest.count()))));
}

template <class Call>
auto RetryingStore::repeat(const Call& call) -> decltype(call()) {
  for (unsigned attempt = 1;; ++attempt) {
    auto result = call();
    if (result || !result.error().retryable || attempt >= policy_.attempts) return result;
    pause(attempt, result.error());
  }
}

Status RetryingStore::prepare() {
  return repeat([&] { return inner_.prepare(); });
}

Status RetryingStore::ready() {
  return inner_.ready();
}

Result<Sha256Digest> RetryingStore::put(const ObjectKey& key, const FileRange& bytes, const ObjectMeta& meta) {
  return repeat([&] { return inner_.put(key, bytes, meta); });
}

Result<ObjectInfo> RetryingStore::head(const ObjectKey& key) {
  return repeat([&] { return inner_.head(key); });
}

Status RetryingStore::get(const ObjectKey& key, const ByteRange& range, ByteSink& sink) {
  WatchedSink watched(sink);
  return repeat([&] {
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
  return repeat([&] { return inner_.remove(key); });
}

Status RetryingStore::copy(const ObjectKey& from, const ObjectKey& to, const ObjectMeta& meta) {
  return repeat([&] { return inner_.copy(from, to, meta); });
}

}  // namespace cloakroom

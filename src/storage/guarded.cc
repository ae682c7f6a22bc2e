// guarded.cc — a place in the bulkhead, the breaker's leave, the call, and what it taught.
#include "storage/guarded.h"

#include <algorithm>

namespace cloakroom {
namespace {

Error given_up() {
  return {Errc::kStoreAway, "the store is given up for a moment: it failed several times in a row", {}, true};
}

Error stuck() {
  return {Errc::kStoreAway, "the store holds as many workers as it may, and none of them gets on", {}, true};
}

// Bytes that come are a sign of life.
class LiveSink final : public ByteSink {
 public:
  LiveSink(ByteSink& inner, Bulkhead& bulkhead) : inner_(inner), bulkhead_(bulkhead) {}
  Status write(std::span<const std::byte> bytes) override {
    bulkhead_.moved();
    return inner_.write(bytes);
  }

 private:
  ByteSink& inner_;
  Bulkhead& bulkhead_;
};

}  // namespace

Status GuardedStore::pass_breaker() {
  switch (breaker_.admit()) {
    case Breaker::Admission::kPass:
      return Ok{};
    case Breaker::Admission::kRefuse:
      return given_up();
    case Breaker::Admission::kProbe:
      break;
  }
  // Cheap and short: the caller's own call may be a large file and many attempts.
  const Status answer = inner_.ready();
  breaker_.probed(answer);
  if (breaker_.is_open()) return given_up();
  return Ok{};
}

template <class Call>
auto GuardedStore::guard(const Call& call) -> decltype(call()) {
  if (breaker_.is_open()) return given_up();
  const Bulkhead::Place place = bulkhead_.enter();
  if (!place) return stuck();
  TRY(pass_breaker());
  auto result = call();
  breaker_.note(result ? Status(Ok{}) : Status(result.error()));
  return result;
}

Status GuardedStore::admits() {
  if (breaker_.is_open()) return given_up();
  if (bulkhead_.is_stuck()) return stuck();
  return Ok{};
}

Status GuardedStore::ready() {
  const Bulkhead::Place place = bulkhead_.try_enter();
  if (!place) return bulkhead_.is_still() ? Status(stuck()) : Status(Ok{});
  Status answer = inner_.ready();
  breaker_.note(answer);
  return answer;
}

Result<Sha256Digest> GuardedStore::put(const ObjectKey& key, const FileRange& bytes, const ObjectMeta& meta) {
  return guard([&] { return inner_.put(key, bytes, meta); });
}

Result<ObjectInfo> GuardedStore::head(const ObjectKey& key) {
  return guard([&] { return inner_.head(key); });
}

Status GuardedStore::get(const ObjectKey& key, const ByteRange& range, ByteSink& sink) {
  LiveSink live(sink, bulkhead_);
  return guard([&] { return inner_.get(key, range, live); });
}

Status GuardedStore::remove(const ObjectKey& key) {
  return guard([&] { return inner_.remove(key); });
}

std::vector<Status> GuardedStore::remove_many(std::span<const ObjectKey> keys) {
  std::vector<Status> outcomes;
  const Status asked = guard([&]() -> Status {
    outcomes = inner_.remove_many(keys);
    const auto failed = std::find_if(outcomes.begin(), outcomes.end(), [](const Status& one) { return !one; });
    return failed == outcomes.end() ? Status(Ok{}) : *failed;
  });
  if (outcomes.empty()) outcomes.assign(keys.size(), asked);
  return outcomes;
}

Status GuardedStore::copy(const ObjectKey& from, const ObjectKey& to, const ObjectMeta& meta) {
  return guard([&] { return inner_.copy(from, to, meta); });
}

}  // namespace cloakroom

// store_guard.cc — who may go in, and what is said to those who may not.
#include "storage/store_guard.h"

namespace cloakroom {
namespace {

Error given_up() {
  return {Errc::kStoreAway, "the store is given up for a moment: it failed several times in a row", {}, true};
}

Error stuck() {
  return {Errc::kStoreAway, "the store holds as many workers as it may, and none of them gets on", {}, true};
}

}  // namespace

// Cheap and short: the caller's own call may be a large file and many attempts.
Status StoreGuard::ask() {
  return store_.ready();
}

Status StoreGuard::pass_breaker() {
  switch (breaker_.admit()) {
    case Breaker::Admission::kPass:
      return Ok{};
    case Breaker::Admission::kRefuse:
      return given_up();
    case Breaker::Admission::kProbe:
      break;
  }
  breaker_.probed(ask());
  if (breaker_.is_open()) return given_up();
  return Ok{};
}

Result<Bulkhead::Place> StoreGuard::enter() {
  if (breaker_.is_open()) return given_up();
  Bulkhead::Place place = bulkhead_.enter([this] {
    const Status answer = ask();
    breaker_.note(answer);
    return answer || !answer.error().retryable;  // also a refusal is an answer
  });
  if (!place) return stuck();
  TRY(pass_breaker());
  return place;
}

Status StoreGuard::admits() {
  if (breaker_.is_open()) return given_up();
  if (bulkhead_.is_stuck()) return stuck();
  return Ok{};
}

Status StoreGuard::ready() {
  const Bulkhead::Place place = bulkhead_.try_enter();
  if (!place && !bulkhead_.is_still()) return Ok{};
  if (!place && !bulkhead_.has_silent()) return stuck();
  Status answer = ask();
  breaker_.note(answer);
  return answer;
}

}  // namespace cloakroom

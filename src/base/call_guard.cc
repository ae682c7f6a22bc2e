// call_guard.cc — who may go in, and what is said to those who may not.
#include "base/call_guard.h"

namespace cloakroom {

Error CallGuard::given_up() const {
  return {server_.refused,
          std::string(server_.name) + " is given up for a moment: it failed several times in a row",
          {},
          true};
}

Error CallGuard::stuck() const {
  return {server_.refused,
          std::string(server_.name) + " holds as many workers as it may, and none of them gets on",
          {},
          true};
}

Status CallGuard::pass_breaker() {
  switch (breaker_.admit()) {
    case Breaker::Admission::kPass:
      return Ok{};
    case Breaker::Admission::kRefuse:
      return given_up();
    case Breaker::Admission::kProbe:
      break;
  }
  breaker_.probed(server_.ask());
  if (breaker_.is_open()) return given_up();
  return Ok{};
}

Result<Bulkhead::Place> CallGuard::enter() {
  TRY(pass_breaker());
  Bulkhead::Place place = bulkhead_.enter([this] {
    const Status answer = server_.ask();
    breaker_.asked(answer);
    return answer || !answer.error().retryable;  // also a refusal is an answer
  });
  if (!place) return stuck();
  if (breaker_.is_open()) return given_up();  // by others, while this one waited
  return place;
}

Status CallGuard::admits() {
  if (breaker_.is_open()) return given_up();
  if (bulkhead_.is_stuck()) return stuck();
  return Ok{};
}

Status CallGuard::ready() {
  const Bulkhead::Place place = bulkhead_.try_enter();
  if (!place && !bulkhead_.is_still()) return Ok{};
  if (!place && !bulkhead_.has_silent()) return stuck();
  Status answer = server_.ask();
  breaker_.note(answer);
  return answer;
}

}  // namespace cloakroom

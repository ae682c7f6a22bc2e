// call_guard.h — a place in the bulkhead, the breaker's leave, the call, and what its outcome taught: around any call
// to a server that all children of a worker depend on.
//
// Order    outside of the retries: one failure here is a call that was repeated already.
// Errors   GuardedServer::refused, retryable: the server was not asked for this. Else the call's own.
// Silence  where stillness tells nothing, because calls that are silent by nature are inside (bulkhead.h), the server
// is
//          asked the cheap question; while it answers, callers wait or are let in.
// Lifetime breaker and bulkhead are borrowed.
#pragma once

#include <functional>
#include <string_view>

#include "base/breaker.h"
#include "base/bulkhead.h"
#include "base/result.h"

namespace cloakroom {

struct GuardedServer {
  std::string_view name;        // as a sentence begins: "the store"
  Errc refused;                 // of a call that is not made
  std::function<Status()> ask;  // cheap and short: whether it would answer now
};

class CallGuard {
 public:
  CallGuard(GuardedServer server, Breaker& breaker, Bulkhead& bulkhead)
      : server_(std::move(server)), breaker_(breaker), bulkhead_(bulkhead) {}

  // `call` returns a Result; so does this.
  template <class Call>
  auto run(const Call& call) -> decltype(call()) {
    TRY_ASSIGN(const Bulkhead::Place place, enter());
    auto result = call();
    breaker_.note(result ? Status(Ok{}) : Status(result.error()));
    return result;
  }
  // Whether run() would make a call, as far as can be known without asking.
  Status admits();
  // Asks, whatever the breaker says. With all places taken the server evidently works while something moves; when
  // nothing moves it does not, unless a call is silent by nature: then it is asked without a place.
  Status ready();
  void moved() { bulkhead_.moved(); }  // bytes came
  void silent(bool is_so) { bulkhead_.silent(is_so); }

 private:
  Result<Bulkhead::Place> enter();
  Status pass_breaker();
  Error given_up() const;
  Error stuck() const;

  GuardedServer server_;
  Breaker& breaker_;
  Bulkhead& bulkhead_;
};

}  // namespace cloakroom

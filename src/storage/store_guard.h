// store_guard.h — a place in the bulkhead, the breaker's leave, the call, and what its outcome taught: around any call
// to a store, by whichever port it is made.
//
// Order    outside of the retries: one failure here is a call that was repeated already.
// Errors   kStoreAway, retryable: the store was not asked for this. Else the call's own.
// Silence  where stillness tells nothing, because calls that are silent by nature are inside (bulkhead.h), `store` is
//          asked the cheap question; while it answers, callers wait or are let in.
// Lifetime store, breaker and bulkhead are borrowed.
#pragma once

#include "domain/ports.h"
#include "storage/breaker.h"
#include "storage/bulkhead.h"

namespace cloakroom {

class StoreGuard {
 public:
  // `store` is asked ready(), and nothing else.
  StoreGuard(BlobStore& store, Breaker& breaker, Bulkhead& bulkhead)
      : store_(store), breaker_(breaker), bulkhead_(bulkhead) {}

  // `call` returns a Result; so does this.
  template <class Call>
  auto run(const Call& call) -> decltype(call()) {
    TRY_ASSIGN(const Bulkhead::Place place, enter());
    auto result = call();
    breaker_.note(result ? Status(Ok{}) : Status(result.error()));
    return result;
  }
  // As BlobStore::admits().
  Status admits();
  // As GuardedStore::ready().
  Status ready();
  void moved() { bulkhead_.moved(); }  // bytes came

 private:
  Result<Bulkhead::Place> enter();
  Status pass_breaker();
  Status ask();

  BlobStore& store_;
  Breaker& breaker_;
  Bulkhead& bulkhead_;
};

}  // namespace cloakroom

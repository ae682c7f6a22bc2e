// memory_store_test.cc — the suite of every BlobStore against the fake, which is the reference for the others.
#include "memory_store.h"

#include "store_suite.h"

namespace {

struct MemoryPlace {
  static constexpr bool kKeepsType = true;
  static cloakroom::BlobStore& store() {
    static cloakroom::MemoryStore memory;
    return memory;
  }
};

}  // namespace

int main() {
  return cloakroom::suite::run_store_suite<MemoryPlace>("contract_memory");
}

// guarded_scanner.h — a Scanner that refuses at once what a breaker or a bulkhead says would only wait.
//
// Order    and errors as CallGuard; its server's `refused` is kScannerAway, so nobody needs to tell who refused.
// Silence  a chunk that is taken is a sign of life; once all are sent, the scanner thinks, and is silent by nature.
// ready()  is asked whatever the breaker says, and its answer counts: readyz brings the scanner back.
// Lifetime scanner and guard are borrowed.
#pragma once

#include "base/call_guard.h"
#include "domain/scan_ports.h"

namespace cloakroom {

class GuardedScanner final : public Scanner {
 public:
  GuardedScanner(Scanner& inner, CallGuard& guard) : inner_(inner), guard_(guard) {}

  Status admits() override { return guard_.admits(); }
  Status ready() override { return guard_.ready(); }
  Result<ScanVerdict> scan(const ByteSource& bytes) override;
  Result<std::uint64_t> signatures() override { return inner_.signatures(); }

 private:
  Scanner& inner_;
  CallGuard& guard_;
};

}  // namespace cloakroom

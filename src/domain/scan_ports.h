// scan_ports.h — what the domain needs of a virus scanner.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "domain/ports.h"

namespace cloakroom {

// kNotScanned: it says itself that it did not look at all of it; `name` says why, in its words.
// kTooLarge: it would not take so many bytes.
enum class ScanOutcome { kClean, kInfected, kNotScanned, kTooLarge };

struct ScanVerdict {
  ScanOutcome outcome = ScanOutcome::kClean;
  std::string name = {};  // of the signature: printable ASCII, at most limits::kScannerSignatureBytes
};

// Writes the bytes, all of them, into the sink; stops at an error of the sink and returns it.
using ByteSource = std::function<Status(ByteSink&)>;

// Errors   kScannerAway  down, too slow, or its answer is none; retryable, for it may be back soon
//          the source's own
// Memory   fixed: what the source writes is sent on.
class Scanner {
 public:
  virtual ~Scanner() = default;
  // Whether a scan would be tried at all now, without asking: kScannerAway when a breaker would refuse it.
  virtual Status admits() { return Ok{}; }
  // A cheap question whether scan() would work now.
  virtual Status ready() = 0;
  virtual Result<ScanVerdict> scan(const ByteSource& bytes) = 0;
  // The number of its signatures, which grows with each update; 0: it has none.
  virtual Result<std::uint64_t> signatures() = 0;
};

}  // namespace cloakroom

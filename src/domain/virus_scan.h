// virus_scan.h — whether a file may be kept: asks the scanner, and says what follows from its answer or its silence.
//
// Rule     what was not scanned is not kept, unless the sysadmin asked for that (fail_open). A scanner's OK counts only
//          for files up to `max_bytes`, of which it really looks at every byte.
// Errors   kInfected     found; for the client a sentence without the signature's name
//          kNotScanned   the scanner could not look into it (limits within an archive; encrypted, if it minds that)
//          kTooLarge     larger than the scanner takes
//          kScannerAway  try again later
//          the source's own
// Log      upload.infected (the audit line), upload.not_scanned with the reason when it is kept all the same
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/file.h"
#include "domain/scan_ports.h"

namespace cloakroom {

struct ScanRules {
  std::uint64_t max_bytes = 0;
  bool fail_open = false;
};

// For the log: what is being scanned.
struct ScanSubject {
  std::string_view way;       // "upload", "direct_upload", "rescan"
  std::string_view filename;  // cleaned
  const std::optional<std::string>& user;
  std::uint64_t size_bytes = 0;
  std::function<std::optional<Sha256Digest>()> digest;  // asked for infected files alone
  std::string_view id = {};                             // of the attachment, where there is one
};

class VirusScan {
 public:
  VirusScan(Scanner& scanner, ScanRules rules) : scanner_(scanner), rules_(rules) {}  // borrowed

  // Whether a file of this size could pass, without a look at it.
  Status admits(std::string_view filename, std::uint64_t size_bytes) const;
  // Whether a scan would be worth beginning, for who has work to do before it. Ok, too, where nobody minds.
  Status ready();
  Status check(const ScanSubject& subject, const ByteSource& bytes);

 private:
  Status pass_or_refuse(const ScanSubject& subject, Error why) const;

  Scanner& scanner_;
  ScanRules rules_;
};

// The bytes of a range of a file, in blocks of the copy buffer.
ByteSource source_of(const FileRange& range);
Result<Sha256Digest> digest_of(const FileRange& range);
// The audit line of whatever was found infected. `event`: "upload.infected", "rescan.infected"
void log_infected(std::string_view event, const ScanSubject& subject, std::string_view signature);

}  // namespace cloakroom

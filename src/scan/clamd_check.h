// clamd_check.h — the checks of `cloakroom check` on clamd: reached, finds what it must, looks at all of a file.
//
// Why      clamd answers OK for a file above its MaxFileSize or MaxScanSize without a look at it, and tells none of its
//          limits. So it is shown a file of exactly our limit that begins with an archive with the EICAR test file:
//          only who looked finds it.
// Sends    CLAMD_MAX_SIZE bytes, nearly all of them zero
#pragma once

#include <cstdint>

#include "base/finding.h"
#include "scan/clamd.h"

namespace cloakroom {

struct ClamdCheckOptions {
  std::uint64_t max_scan_bytes = 0, max_upload_bytes = 0;
  bool fail_open = false;
};

Findings check_clamd(Clamd& clamd, const ClamdCheckOptions& options);

}  // namespace cloakroom

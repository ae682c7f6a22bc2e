// s3_part_rules.h — what a store demands of the parts of an upload, and the parts that a file is cut into.
//
// Shape    all parts are of one size, a whole number of MiB, but the last, which is what is left: R2 insists on it.
// Errors   kTooLarge   as many and as large parts as the store takes do not hold the file
#pragma once

#include <cstdint>

#include "base/limits.h"
#include "base/result.h"

namespace cloakroom {

// The defaults suit every store known to speak S3.
struct S3PartRules {
  std::uint64_t min_part_bytes = 5ULL << 20;  // of every part but the last
  unsigned max_parts = 1000;                  // Swift and Scaleway; others take 10000
  std::uint64_t wanted_part_bytes = limits::kS3PartBytes;
};

struct S3PartPlan {
  std::uint64_t part_bytes = 0;
  std::uint64_t last_bytes = 0;
  unsigned parts = 0;  // at least 1; an empty file is one empty part
};

Result<S3PartPlan> plan_parts(std::uint64_t size_bytes, const S3PartRules& rules);

}  // namespace cloakroom

// config_s3.h — the settings of the S3 stores: S3_…, and of a second one the same names behind S3_SECONDARY_.
//
// Rule     one code reads both, so they mean the same. Aliases and R2_ACCOUNT_ID are the first one's alone; places
// where
//          credentials are looked for (AWS_…) are both's. They must be two buckets: an audit of one would take the
//          files of the other for left-overs.
#pragma once

#include "base/config_reader.h"

namespace cloakroom {

// Fills config.s3 and config.s3_secondary. REQUIRES: config.storage.
void read_s3_stores(Reader& in, Config& config);

}  // namespace cloakroom

// check_apart.h — the check of `cloakroom check` that two S3 stores are two buckets, which two names can hide; no
// `cloakroom move` between them begins without it.
//
// Why      an audit takes what the rows of a store do not name for left-overs, and with --fix deletes it: of one bucket
//          under two names that would be the files of the other store. A move would delete each file with its source.
// Leaves   nothing: the object it stores in the first one, named as any other, is removed. Where that fails, the
//          finding says so, unless it has worse to say.
// Errors   none: what cannot be done is a Finding.
#pragma once

#include "base/config.h"
#include "base/finding.h"
#include "domain/ports.h"

namespace cloakroom {

// REQUIRES: both stores are configured.
Finding check_apart(const Config& config, const Clock& clock);

}  // namespace cloakroom

// check_cdn.h — the check of `cloakroom check` on CDN_URL: whether CDN_URL/key leads to what lies in the bucket.
//
// Leaves   nothing in the bucket: the object it stores, named as any other, is removed. A CDN may keep its copy.
// Errors   none: what cannot be done is a Finding.
#pragma once

#include "base/config.h"
#include "base/finding.h"
#include "domain/ports.h"

namespace cloakroom {

// REQUIRES: a CDN_URL, which needs an S3 store for new files.
Finding check_cdn(const Config& config, const Clock& clock);

}  // namespace cloakroom

// object_headers.h — the header fields that a stored object keeps and gives back with every read.
//
// Errors   kInvalid   a value is not plain ASCII. They come from file names in the end: a control character would end
//          the header, other bytes break signatures.
#pragma once

#include "base/result.h"
#include "domain/ports.h"
#include "storage/store_header.h"

namespace cloakroom {

// Content-Type always: without one some stores guess it from the bytes. The others only where they have a value.
Result<StoreHeaders> object_headers(const ObjectMeta& meta);

}  // namespace cloakroom

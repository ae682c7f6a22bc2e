// delete_object.h — the handler of 'delete_object' jobs: removes the bytes of a row that is gone or of a failed upload.
//
// Shape    payload {"store": "local" | "s3" | "s3-secondary", "key": "…"}
// Errors   kInternal the payload is not of that form, or its store is not configured here: the job waits for whoever
//          mends it; else the store's own
// Never    the key in an error: errors are logged and kept in the row.
#pragma once

#include <functional>

#include "domain/ports.h"
#include "jobs/runner.h"

namespace cloakroom {

// The store of a kind, or nullptr where it is not configured.
using StoreOfKind = std::function<BlobStore*(StoreKind)>;

// All jobs of a batch go to each store in one call, and so in few requests.
JobGroupHandler delete_objects_handler(StoreOfKind store_of_kind);

}  // namespace cloakroom

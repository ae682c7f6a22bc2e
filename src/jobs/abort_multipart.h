// abort_multipart.h — the handler of 'abort_multipart' jobs: drops the parts of a direct upload that nobody completed.
//
// Shape    payload {"store": "s3" | "s3-secondary", "key": "…", "upload_id": "…"}; without a store: "s3"
// Errors   kInternal the payload is not of that form, or that store is not configured here; else the store's own
// Never    key or upload id in an error: errors are logged and kept in the row.
#pragma once

#include <functional>

#include "domain/direct_ports.h"
#include "jobs/runner.h"

namespace cloakroom {

// Null where that store is not configured. What it gives is borrowed.
using DirectStoreOfKind = std::function<DirectStore*(StoreKind)>;

JobHandler abort_multipart_handler(DirectStoreOfKind store_of);

}  // namespace cloakroom

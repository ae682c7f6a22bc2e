// abort_multipart.h — the handler of 'abort_multipart' jobs: drops the parts of a direct upload that nobody completed.
//
// Shape    payload {"key": "…", "upload_id": "…"}
// Errors   kInternal the payload is not of that form, or no S3 store is configured here; else the store's own
// Never    key or upload id in an error: errors are logged and kept in the row.
#pragma once

#include "domain/direct_ports.h"
#include "jobs/runner.h"

namespace cloakroom {

// `store` is borrowed; null where there is no S3 store.
JobHandler abort_multipart_handler(DirectStore* store);

}  // namespace cloakroom

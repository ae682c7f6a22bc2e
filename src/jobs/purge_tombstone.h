// purge_tombstone.h — the handler of 'purge_tombstone' jobs: the time to have a file back is over, and its bytes go.
//
// Shape    payload {"id": "uuid of the tombstone", "key": "of its file, for the node whose disk has it"}
// Order    no way back, objects, tombstone: after a crash at any point the next try ends in the same state.
// Errors   kInternal the payload is not of that form, or a store is not configured here; kDatabase; else the store's
// own Never    the key in an error: errors are logged and kept in the row.
#pragma once

#include "domain/tombstones.h"
#include "jobs/delete_object.h"
#include "jobs/runner.h"

namespace cloakroom {

// All jobs of a batch go to each store in one call. `tombstones` is borrowed.
JobGroupHandler purge_tombstones_handler(Tombstones& tombstones, StoreOfKind store_of_kind);

}  // namespace cloakroom

// move_object.h — the handler of 'move_object' jobs: a file that was kept on this node's disk goes to the store.
//
// Shape    payload {"id": "uuid of the attachment", "store": "local", "key": "where the file is"}
// Errors   kInternal the payload is not of that form; else domain/move.h's
// Never    the key in an error: errors are logged and kept in the row.
#pragma once

#include "domain/move.h"
#include "jobs/runner.h"

namespace cloakroom {

JobHandler move_object_handler(Mover& mover);  // borrowed

}  // namespace cloakroom

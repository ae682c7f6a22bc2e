// repair_object.h — the handler of 'repair_object' jobs: looks after a local file that a reader found changed or gone.
//
// Shape    payload {"id": "uuid of the attachment"}
// Errors   kInternal the payload is not of that form; else domain/repairs.h's
#pragma once

#include "domain/repairs.h"
#include "jobs/runner.h"

namespace cloakroom {

JobHandler repair_object_handler(Repairs& repairs);  // borrowed

}  // namespace cloakroom

// copy_object.h — the handler of 'copy_object' jobs: makes the copy of one file.
//
// Shape    payload {"id": "uuid of the attachment"}
// Errors   kInternal the payload is not of that form; else domain/copier.h's
#pragma once

#include "domain/copier.h"
#include "jobs/runner.h"

namespace cloakroom {

JobHandler copy_object_handler(Copier& copier);  // borrowed

}  // namespace cloakroom

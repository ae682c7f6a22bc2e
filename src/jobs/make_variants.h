// make_variants.h — the handler of 'make_variants' jobs: the smaller pictures of a new file, before somebody asks.
//
// Shape    payload {"id": "uuid of the attachment"}
// Errors   kInternal the payload is not of that form; else domain/variants.h's: the job comes again. A file of which no
//          picture can be made is done.
#pragma once

#include "domain/variants.h"
#include "jobs/runner.h"

namespace cloakroom {

// `variants` is borrowed; null where there are no pictures: nothing is to be done.
JobHandler make_variants_handler(Variants* variants);

}  // namespace cloakroom

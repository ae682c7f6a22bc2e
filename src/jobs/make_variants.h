// make_variants.h — the handler of 'make_variants' jobs: the smaller pictures of a new file, before somebody asks.
//
// Shape    payload {"id": "uuid of the attachment"}
// Errors   kInternal the payload is not of that form; else domain/variants.h's: the job comes again. A file of which no
//          picture can be made is done.
// Deaths   of helpers over the picture are failures of the job: kMostDeaths of them, or most_failures of the runner,
// and
//          it is given up, and called broken where nobody has seen what is in it. A busy minute is no reason for that.
#pragma once

#include "domain/variants.h"
#include "jobs/runner.h"

namespace cloakroom {

inline constexpr int kMostDeaths = 8;  // by the back-off of jobs/runner.h they take ten minutes

// `variants` is borrowed; null where there are no pictures: nothing is to be done. `most_failures` is the runner's.
JobHandler make_variants_handler(Variants* variants, int most_failures);

}  // namespace cloakroom

// copy_metrics.h — what is not copied yet, as Prometheus reads it.
//
// Shape    the text format, version 0.0.4: the gauges cloakroom_copies_wanted_files, cloakroom_copies_wanted_bytes,
//          cloakroom_copies_wanted_oldest_seconds.
#pragma once

#include <string>

#include "domain/copies.h"

namespace cloakroom {

std::string copy_metrics(const CopyGap& gap);

}  // namespace cloakroom

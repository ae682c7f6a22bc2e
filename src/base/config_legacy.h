// config_legacy.h — the settings of old addresses.
#pragma once

#include "base/config.h"
#include "base/config_reader.h"

namespace cloakroom {

// Fills `legacy` of `config`; problems go to the reader. REQUIRES: route_prefix and auth are read.
void read_legacy(Reader& in, Config& config);

}  // namespace cloakroom

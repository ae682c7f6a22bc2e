// config_limits.h — the settings of rate limits, and of whom nginx believes about client addresses.
#pragma once

#include "base/config.h"
#include "base/config_reader.h"

namespace cloakroom {

// Problems are told to the reader.
LimitsConfig read_limits(Reader& in);

}  // namespace cloakroom

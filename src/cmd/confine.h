// confine.h — what the settings let a process keep before it meets bytes of strangers.
#pragma once

#include <string>
#include <vector>

#include "base/config.h"

namespace cloakroom {

// base/sandbox.h around the folders of the settings and these. Nothing where SANDBOX is off. The process must end when
// this fails.
Status confine(const Config& config, const std::vector<std::string>& more_writable = {});

}  // namespace cloakroom

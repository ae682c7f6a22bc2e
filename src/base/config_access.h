// config_access.h — what the settings of links and of the application's word demand of each other.
#pragma once

#include <vector>

#include "base/config.h"
#include "base/config_public.h"

namespace cloakroom {

std::vector<SettingProblem> access_problems(const Config& config);

}  // namespace cloakroom

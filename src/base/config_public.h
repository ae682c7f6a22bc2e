// config_public.h — what VISIBILITY and CDN_URL demand of each other and of other settings.
#pragma once

#include <vector>

#include "base/config.h"

namespace cloakroom {

// The defaults of CACHE_CONTROL and OBJECT_CACHE_CONTROL, which depend on VISIBILITY.
void fill_caching(Config& config);

std::vector<SettingProblem> public_problems(const Config& config);

}  // namespace cloakroom

// config_public.h — what VISIBILITY and CDN_URL demand of each other and of other settings.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/config.h"

namespace cloakroom {

// The defaults of CACHE_CONTROL and OBJECT_CACHE_CONTROL, which depend on VISIBILITY.
void fill_caching(Config& config);

struct SettingProblem {
  std::string_view name;
  std::string what;
};
std::vector<SettingProblem> public_problems(const Config& config);

}  // namespace cloakroom

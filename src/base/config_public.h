// config_public.h — what VISIBILITY and CDN_URL demand of each other and of other settings.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/config.h"

namespace cloakroom {

// The default of CACHE_CONTROL and OBJECT_CACHE_CONTROL for public files: under an address the bytes never change.
inline constexpr std::string_view kPublicCaching = "public, max-age=31536000, immutable";

struct SettingProblem {
  std::string_view name;
  std::string what;
};
std::vector<SettingProblem> public_problems(const Config& config);

}  // namespace cloakroom

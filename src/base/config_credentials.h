// config_credentials.h — which places are asked for the credentials of an S3 store when its ACCESS_KEY_ID is not set.
//
// Rule     the shared credentials file, the web identity, the metadata service, in that order. The last one, and a file
//          that nobody named, only with AWS itself: another store has keys of its own.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/config.h"

namespace cloakroom {

// `text` reads a setting. Fills s3.credentials, unless the keys are there already.
std::vector<SettingProblem> complete_credentials(S3Config& s3, const std::optional<std::string>& home,
                                                 const std::function<std::string(std::string_view)>& text);

}  // namespace cloakroom

// legacy_path.h — the path of a file of the old application, from what its table or a request says. Pure.
//
// Shape    relative, below the old application's folder: no "." or "..", no empty segment, no control character, no
//          backslash, well-formed UTF-8 (domain/object_key.h), however it was spelled.
// Rule     percent-decoded once at most. What does not come out clean is refused, never mended: two readers of one
//          spelling must not see two files.
// Errors   kInvalid
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "domain/object_key.h"

namespace cloakroom {

struct LegacyPathRule {
  std::string strip;             // taken from the beginning, where it is there
  bool percent_encoded = false;  // then ?query and #fragment are no part of it
};

Result<ObjectKey> legacy_path(std::string_view text, const LegacyPathRule& rule);

}  // namespace cloakroom

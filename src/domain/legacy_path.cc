// legacy_path.cc — prefix, query, escapes, and then the rules of keys.
#include "domain/legacy_path.h"

#include "base/encode.h"

namespace cloakroom {

Result<ObjectKey> legacy_path(std::string_view text, const LegacyPathRule& rule) {
  if (text.starts_with(rule.strip)) text.remove_prefix(rule.strip.size());
  if (!rule.percent_encoded) return ObjectKey::parse(text);
  TRY_ASSIGN(const std::string decoded, percent_decode(text.substr(0, text.find_first_of("?#"))));
  return ObjectKey::parse(decoded);
}

}  // namespace cloakroom

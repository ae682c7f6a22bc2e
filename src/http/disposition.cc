// disposition.cc — one walk over the characters of the name makes both forms.
#include "http/disposition.h"

#include <algorithm>
#include <cstddef>

#include "base/encode.h"

namespace cloakroom {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

// The bytes of the well-formed character at the front of `rest`, 0 when there is none. REQUIRES: `rest` is not empty.
std::size_t character_length(std::string_view rest) {
  for (std::size_t length = 1; length <= std::min<std::size_t>(4, rest.size()); ++length) {
    if (is_utf8(rest.substr(0, length))) return length;
  }
  return 0;
}

bool is_control(std::string_view character) {
  return has_control(character) || (character >= "\xC2\x80" && character <= "\xC2\x9F");
}

bool is_plain(std::string_view character) {
  const char c = character.front();
  return character.size() == 1 && c >= ' ' && c <= '~' && c != '"' && c != '\\' && c != '%';
}

}  // namespace

std::string content_disposition(DispositionKind kind, std::string_view filename_utf8) {
  std::string fallback;
  std::string full;
  for (std::string_view rest = filename_utf8; !rest.empty();) {
    const std::size_t length = character_length(rest);
    std::string_view character = length == 0 ? kReplacement : rest.substr(0, length);
    rest.remove_prefix(std::max<std::size_t>(length, 1));
    if (is_control(character)) character = "_";
    full += character;
    // Two blanks in a header's value are signed as one; stores that do not fold them refuse the signature.
    const bool second_blank = character == " " && fallback.ends_with(' ');
    fallback += is_plain(character) && !second_blank ? character : "_";
  }
  std::string value = kind == DispositionKind::kInline ? "inline" : "attachment";
  if (full.empty()) return value;
  value += "; filename=\"" + fallback + '"';
  if (full != fallback) value += "; filename*=UTF-8''" + percent_encode(full);
  return value;
}

}  // namespace cloakroom

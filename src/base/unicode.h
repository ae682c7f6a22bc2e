// unicode.h — what Unicode knows of characters, as far as names that come from outside need it. Pure.
//
// Source   libutf8proc's tables; UAX #15 (NFC), UAX #29 (graphemes), UAX #44 (categories).
// Bytes    UTF-8. REQUIRES: well-formed, but for first_character.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace cloakroom {

enum class CharacterKind {
  kOther,
  kControl,            // C0, DEL, C1
  kHidden,             // leaves no trace on a screen, or turns the reading around: bidi controls, zero-width, fillers,
                       // line separators, noncharacters
  kJoiner,             // U+200C, U+200D: scripts and emoji are spelled with them
  kVariationSelector,  // picks a form of the character before it
  kTag,                // U+E0020..U+E007F: spell some flags
};

struct Character {
  char32_t code = 0;
  std::size_t size_bytes = 0;  // 0: the text does not begin with a well-formed character
};
Character first_character(std::string_view text);

CharacterKind kind_of(char32_t code);

// Canonical composition. Can be longer than `text`, at most threefold.
std::string to_nfc(std::string_view text);

// The longest beginning of at most `most_bytes` that ends where a reader sees the end of a character. Where the first
// one alone is longer, the beginning that ends with a code point.
std::string_view cut_at_grapheme(std::string_view text, std::size_t most_bytes);

}  // namespace cloakroom

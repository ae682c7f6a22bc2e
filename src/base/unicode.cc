// unicode.cc — libutf8proc behind unicode.h.
#include "base/unicode.h"

#include <utf8proc.h>

#include <cstdlib>
#include <memory>
#include <new>

#include "base/handle.h"
#include "base/result.h"

namespace cloakroom {
namespace {

const utf8proc_uint8_t* raw(std::string_view text) {
  return reinterpret_cast<const utf8proc_uint8_t*>(text.data());
}

bool is_variation_selector(char32_t code) {
  return (code >= 0xFE00 && code <= 0xFE0F) || (code >= 0xE0100 && code <= 0xE01EF) ||
         (code >= 0x180B && code <= 0x180F && code != 0x180E);
}

bool is_noncharacter(char32_t code) {
  return (code & 0xFFFEU) == 0xFFFEU || (code >= 0xFDD0 && code <= 0xFDEF);
}

}  // namespace

Character first_character(std::string_view text) {
  utf8proc_int32_t code = 0;
  const utf8proc_ssize_t size = utf8proc_iterate(raw(text), static_cast<utf8proc_ssize_t>(text.size()), &code);
  if (size <= 0) return {};
  return {static_cast<char32_t>(code), static_cast<std::size_t>(size)};
}

CharacterKind kind_of(char32_t code) {
  if (code == 0x200C || code == 0x200D) return CharacterKind::kJoiner;
  if (is_variation_selector(code)) return CharacterKind::kVariationSelector;
  if (code >= 0xE0020 && code <= 0xE007F) return CharacterKind::kTag;
  const utf8proc_property_t* known = utf8proc_get_property(static_cast<utf8proc_int32_t>(code));
  // Arabic and other number signs are format characters, and drawn: they enclose what follows.
  const bool drawn = known->boundclass == UTF8PROC_BOUNDCLASS_PREPEND;
  switch (known->category) {
    case UTF8PROC_CATEGORY_CC:
      return CharacterKind::kControl;
    case UTF8PROC_CATEGORY_CF:
      return drawn ? CharacterKind::kOther : CharacterKind::kHidden;
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
      return CharacterKind::kHidden;
    default:
      // unassigned ones stay: they may be next year's letters
      return known->ignorable != 0 || is_noncharacter(code) ? CharacterKind::kHidden : CharacterKind::kOther;
  }
}

std::string to_nfc(std::string_view text) {
  utf8proc_uint8_t* made = nullptr;
  const auto options = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE);
  const utf8proc_ssize_t size = utf8proc_map(raw(text), static_cast<utf8proc_ssize_t>(text.size()), &made, options);
  const std::unique_ptr<utf8proc_uint8_t, CDelete<std::free>> owner(made);
  if (size == UTF8PROC_ERROR_NOMEM) throw std::bad_alloc();
  if (size < 0) BUG("ill-formed text was to be composed");
  return {reinterpret_cast<const char*>(made), static_cast<std::size_t>(size)};
}

std::string_view cut_at_grapheme(std::string_view text, std::size_t most_bytes) {
  if (text.size() <= most_bytes) return text;
  std::size_t at = 0, whole = 0;  // ends of code points and of graphemes that fit
  utf8proc_int32_t state = 0, before = 0;
  while (at <= most_bytes) {
    const Character next = first_character(text.substr(at));
    const auto code = static_cast<utf8proc_int32_t>(next.code);
    if (at > 0 && utf8proc_grapheme_break_stateful(before, code, &state)) whole = at;
    if (at + next.size_bytes > most_bytes) break;
    at += next.size_bytes;
    before = code;
  }
  return text.substr(0, whole > 0 ? whole : at);
}

}  // namespace cloakroom

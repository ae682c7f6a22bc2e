// filename.cc — cleans names character by character, then composes and cuts them.
#include "domain/filename.h"

#include "base/limits.h"
#include "base/unicode.h"

namespace cloakroom {
namespace {

constexpr std::size_t kExtensionBytes = 32;  // with its dot; what is longer is no extension
constexpr char32_t kBlackFlag = 0x1F3F4;     // flags of regions are spelled with tags after it
constexpr char32_t kKeycap = 0x20E3;

bool is_ascii(char32_t code) {
  return code < 0x80;
}

// Copies what may stay. Some characters may only stay beside others, so the last one that was kept is remembered, and a
// joiner waits for what it joins.
class Cleaner {
 public:
  void take(std::string_view bytes, char32_t code) {
    switch (kind_of(code)) {
      case CharacterKind::kControl:
      case CharacterKind::kHidden:
        return;
      case CharacterKind::kJoiner:
        if (!is_ascii(last_)) waiting_ = bytes;
        return;
      case CharacterKind::kVariationSelector:
        if (is_ascii(last_)) {
          selector_ = bytes;  // a digit's: only a keycap can make it visible
          return;
        }
        if (kind_of(last_) == CharacterKind::kVariationSelector) return;  // one picks a form, more hide something
        break;
      case CharacterKind::kTag:
        if (last_ != kBlackFlag && kind_of(last_) != CharacterKind::kTag) return;
        break;
      case CharacterKind::kOther:
        break;
    }
    if (code == '/' || code == '\\') {
      keep("_", '_');
    } else {
      keep(bytes, code);
    }
  }
  void take_ill_formed() { keep("_", '_'); }

  std::string name;

 private:
  void keep(std::string_view bytes, char32_t code) {
    if (!is_ascii(code)) name += waiting_;
    if (code == kKeycap) name += selector_;
    waiting_ = selector_ = {};
    name += bytes;
    last_ = code;
  }

  char32_t last_ = 0;
  std::string_view waiting_, selector_;
};

std::string without_the_hidden(std::string_view raw) {
  Cleaner cleaner;
  while (!raw.empty()) {
    const Character next = first_character(raw);
    if (next.size_bytes == 0) {
      cleaner.take_ill_formed();
      raw.remove_prefix(1);
      continue;
    }
    cleaner.take(raw.substr(0, next.size_bytes), next.code);
    raw.remove_prefix(next.size_bytes);
  }
  return std::move(cleaner.name);
}

// What is removed can bring letter and accent together, and what is composed can change a neighbour; the second round
// finds the rest (held by tests/fuzz/filename_fuzz.cc).
std::string composed(std::string_view raw) {
  const std::string once = to_nfc(without_the_hidden(raw));
  return to_nfc(without_the_hidden(once));
}

void trim_spaces(std::string& name) {
  while (name.starts_with(' ')) name.erase(0, 1);
  while (name.ends_with(' ')) name.pop_back();
}

void cut_to_limit(std::string& name) {
  if (name.size() <= limits::kFilenameBytes) return;
  const std::size_t dot = name.rfind('.');
  const bool has_extension = dot != std::string::npos && name.size() - dot <= kExtensionBytes;
  const std::string extension = has_extension ? name.substr(dot) : std::string();
  name.resize(name.size() - extension.size());
  name.resize(cut_at_grapheme(name, limits::kFilenameBytes - extension.size()).size());
  name += extension;
}

// Composing takes time with the square of the accents on one letter: nobody's name is so long.
std::string shortened(std::string_view raw) {
  if (raw.size() <= limits::kRawNameBytes) return std::string(raw);
  constexpr std::size_t kTail = 4 * kExtensionBytes;
  return std::string(raw.substr(0, limits::kRawNameBytes - kTail)) + std::string(raw.substr(raw.size() - kTail));
}

}  // namespace

std::string clean_filename(std::string_view raw) {
  const bool drive = raw.size() > 2 && raw[1] == ':' && raw[2] == '\\';
  if (drive) raw.remove_prefix(raw.rfind('\\') + 1);
  std::string name = composed(shortened(raw));
  trim_spaces(name);
  cut_to_limit(name);
  name = composed(name);  // the cut may have parted a joiner from what it joined
  trim_spaces(name);
  if (name.empty() || name == "." || name == "..") return "file";
  return name;
}

}  // namespace cloakroom

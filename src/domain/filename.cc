// filename.cc — cleans names character by character; invalid bytes become '_'.
#include "domain/filename.h"

#include "base/encode.h"
#include "base/limits.h"

namespace cloakroom {
namespace {

std::size_t sequence_length(std::string_view rest) {
  for (std::size_t length = 1; length <= 4 && length <= rest.size(); ++length) {
    if (is_utf8(rest.substr(0, length))) return length;
  }
  return 0;
}

// U+061C, U+200E, U+200F, U+202A..U+202E, U+2066..U+2069 turn "gpj.exe" into "exe.jpg" on a screen; U+FEFF and
// U+2028/2029 hide or break lines; U+0080..U+009F are control characters.
bool is_deceptive(std::string_view c) {
  if (c == "\xD8\x9C") return true;
  if (c.size() == 2) return c[0] == '\xC2' && static_cast<unsigned char>(c[1]) < 0xA0;
  if (c == "\xEF\xBB\xBF") return true;
  if (c.size() != 3 || c[0] != '\xE2') return false;
  const auto second = static_cast<unsigned char>(c[1]);
  const auto third = static_cast<unsigned char>(c[2]);
  if (second == 0x80) return third == 0x8E || third == 0x8F || (third >= 0xA8 && third <= 0xAE);
  return second == 0x81 && third >= 0xA6 && third <= 0xA9;
}

void trim_spaces(std::string& name) {
  while (name.starts_with(' ')) name.erase(0, 1);
  while (name.ends_with(' ')) name.pop_back();
}

// Cuts the stem, keeps the extension, never splits a character.
void cut_to_limit(std::string& name) {
  if (name.size() <= limits::kFilenameBytes) return;
  const std::size_t dot = name.rfind('.');
  std::string ending = dot != std::string::npos && name.size() - dot <= 32 ? name.substr(dot) : std::string();
  std::size_t keep = limits::kFilenameBytes - ending.size();
  while (keep > 0 && (static_cast<unsigned char>(name[keep]) & 0xC0U) == 0x80U) --keep;
  name.resize(keep);
  name += ending;
}

}  // namespace

std::string clean_filename(std::string_view raw) {
  const bool drive = raw.size() > 2 && raw[1] == ':' && raw[2] == '\\';
  if (drive) raw.remove_prefix(raw.rfind('\\') + 1);
  std::string name;
  while (!raw.empty()) {
    const std::size_t length = sequence_length(raw);
    if (length == 0) {
      name += '_';
      raw.remove_prefix(1);
      continue;
    }
    const std::string_view c = raw.substr(0, length);
    if (c == "/" || c == "\\") {
      name += '_';
    } else if (!has_control(c) && !is_deceptive(c)) {
      name += c;
    }
    raw.remove_prefix(length);
  }
  trim_spaces(name);
  cut_to_limit(name);
  trim_spaces(name);  // the cut may have laid a space bare
  if (name.empty() || name == "." || name == "..") return "file";
  return name;
}

}  // namespace cloakroom

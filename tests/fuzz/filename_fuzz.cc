// filename_fuzz.cc — any name: what comes out is composed, bounded, visible, no path, honest, and stays as it is.
#include <cstdint>
#include <string>

#include "base/encode.h"
#include "base/limits.h"
#include "base/unicode.h"
#include "domain/filename.h"
#include "domain/honest_name.h"

using namespace cloakroom;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string name = clean_filename({reinterpret_cast<const char*>(data), size});
  if (name.empty() || name.size() > limits::kFilenameBytes) BUG("empty or too long");
  if (!is_utf8(name) || has_control(name)) BUG("not text");
  if (name.find_first_of("/\\") != std::string::npos || name == "." || name == "..") BUG("a path");
  for (std::string_view rest = name; !rest.empty();) {
    const Character next = first_character(rest);
    const CharacterKind kind = kind_of(next.code);
    if (kind == CharacterKind::kHidden || kind == CharacterKind::kControl) BUG("something hidden");
    rest.remove_prefix(next.size_bytes);
  }
  if (to_nfc(name) != name) BUG("not composed");
  if (clean_filename(name) != name) BUG("cleaning it again changes it");
  for (const char* type :
       {"image/png", "image/x-unheard-of", "text/html", "application/pdf", "application/zip", "x/y"}) {
    const std::string honest = honest_filename(name, type);
    if (clean_filename(honest) != honest || honest_filename(honest, type) != honest) BUG("an honest name is not one");
  }
  return 0;
}

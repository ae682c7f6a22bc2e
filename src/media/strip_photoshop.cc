// strip_photoshop.cc — from resource to resource.
#include "media/strip_photoshop.h"

#include "media/big_endian.h"
#include "media/strip_exif.h"
#include "media/strip_xmp.h"

namespace cloakroom {
namespace {

constexpr std::uint64_t kExif = 0x0422, kExifThree = 0x0423, kXmp = 0x0424;
constexpr std::size_t kNameAt = 6;

std::size_t even(std::size_t n) {
  return n + n % 2;
}

}  // namespace

std::string stripped_photoshop(std::string_view resources, StripMode mode, unsigned depth) {
  std::string out(resources.size(), '\0');
  if (mode == StripMode::kAll) return out;
  std::size_t at = 0;
  while (resources.substr(at).starts_with("8BIM") && at + kNameAt < resources.size()) {
    const std::uint64_t id = big_endian(resources, at + 4, 2);
    const std::size_t name_bytes = even(1 + static_cast<unsigned char>(resources[at + kNameAt]));
    const std::size_t size_at = at + kNameAt + name_bytes;
    if (size_at + 4 > resources.size()) break;
    const std::size_t size = static_cast<std::size_t>(big_endian(resources, size_at, 4));
    const std::size_t data = size_at + 4;
    if (size > resources.size() - data) break;
    resources.substr(at, data - at).copy(&out[at], data - at);
    const std::string_view bytes = resources.substr(data, size);
    std::string kept(bytes);
    if (id == kExif || id == kExifThree) kept = stripped_exif(bytes, mode, depth + 1);
    if (id == kXmp) kept = stripped_xmp(bytes, mode);
    kept.copy(&out[data], size);
    at = std::min(data + even(size), resources.size());
  }
  return out;
}

}  // namespace cloakroom

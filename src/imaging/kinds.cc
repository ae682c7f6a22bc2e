// kinds.cc — the table of types and loaders.
#include "imaging/kinds.h"

#include <algorithm>
#include <array>

namespace cloakroom {
namespace {

constexpr std::string_view kHeif = "VipsForeignLoadHeifSource";

constexpr std::array kKinds{
    ImageKind{"image/jpeg", "VipsForeignLoadJpegSource"},
    ImageKind{"image/png", "VipsForeignLoadPngSource"},
    ImageKind{"image/apng", "VipsForeignLoadPngSource"},  // its first frame
    ImageKind{"image/vnd.mozilla.apng", "VipsForeignLoadPngSource"},
    ImageKind{"image/gif", "VipsForeignLoadNsgifSource", true},
    ImageKind{"image/webp", "VipsForeignLoadWebpSource", true},
    ImageKind{"image/avif", kHeif},
    ImageKind{"image/heic", kHeif},
    ImageKind{"image/heif", kHeif},
    ImageKind{"image/tiff", "VipsForeignLoadTiffSource", false, true},
};

constexpr std::array<const char*, 0> kTrusted{};

}  // namespace

Result<ImageKind> kind_of(std::string_view mime_type) {
  const auto* found =
      std::find_if(kKinds.begin(), kKinds.end(), [&](const ImageKind& k) { return k.mime_type == mime_type; });
  if (found == kKinds.end()) return Error{Errc::kUnsupportedType, "no pictures are made of this type"};
  return *found;
}

std::span<const char* const> deliberately_trusted() {
  return kTrusted;
}

}  // namespace cloakroom

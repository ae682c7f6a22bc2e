// kinds.cc — the table of types and loaders.
#include "imaging/kinds.h"

#include <algorithm>
#include <array>

namespace cloakroom {
namespace {

constexpr std::string_view kHeif = "VipsForeignLoadHeifSource";

constexpr std::array kKinds{
    ImageKind{"image/jpeg", kJpegLoader},
    ImageKind{"image/png", "VipsForeignLoadPngSource"},
    ImageKind{"image/apng", "VipsForeignLoadPngSource"},  // its first frame
    ImageKind{"image/vnd.mozilla.apng", "VipsForeignLoadPngSource"},
    ImageKind{"image/gif", "VipsForeignLoadNsgifSource", true},
    ImageKind{"image/webp", "VipsForeignLoadWebpSource", true},
    ImageKind{"image/avif", kHeif},
    ImageKind{"image/heic", kHeif},
    ImageKind{"image/heif", kHeif},
    ImageKind{"image/tiff", "VipsForeignLoadTiffSource", false, true},
    ImageKind{"image/bmp", kOwnReader},
    ImageKind{"image/x-ms-bmp", kOwnReader},
    ImageKind{"image/svg+xml", "VipsForeignLoadSvgSource", false, false, true},
    ImageKind{"application/pdf", "VipsForeignLoadPdfSource", false, true, true, true},
};

// libvips blocks both because it has not fuzzed them itself. librsvg is written in a language without wild pointers,
// limits elements and nesting, and loads nothing from outside when it gets a stream without an address; poppler is
// fuzzed by OSS-Fuzz, though it is the largest thing here. What still goes wrong happens in a process without a file, a
// network, or a second picture. All else that is blocked stays so: ImageMagick, OpenSlide, JPEG XL, matlab, FITS and
// the like.
constexpr std::array kTrusted{"VipsForeignLoadSvgSource", "VipsForeignLoadPdfSource"};

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

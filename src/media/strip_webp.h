// strip_webp.h — metadata of WebP.
//
// Source   RFC 9649, section 2.7: the chunks "EXIF" and "XMP " of a RIFF file.
// Gone     what strip_exif.h and strip_xmp.h say. kAll: also every chunk that the format does not know.
// Behind   as strip_jpeg.h says.
#pragma once

#include "media/strip_edits.h"

namespace cloakroom {

// REQUIRES: the file begins with "RIFF", a size, "WEBP"
Status strip_webp(const StripJob& job);

}  // namespace cloakroom

// strip_boxes.h — metadata of HEIC and AVIF, and of films that lie behind or within a picture.
//
// Source   ISO/IEC 14496-12, 23008-12 (HEIF); XMP part 3, section 1.3.
// Gone     Exif and XMP items as strip_exif.h and strip_xmp.h say (HEIF turns a picture by a property of its own, not
// by
//          Exif); XMP boxes. Of films: user data and metadata boxes ("udta", "meta" in "moov" and its tracks), where
//          cameras write positions: they become free space. Boxes of makers ("uuid"). kAll: every box that a viewer
//          does not need, and every item that is no picture.
// Unread   items made of other items, or that share their bytes; tables that are broken or over a limit. All others
//          are gone through none the less.
#pragma once

#include "media/strip_edits.h"

namespace cloakroom {

// The boxes from `from` on. The answer is where they end: at the end of the file, or at what is no box.
Result<std::uint64_t> strip_boxes(const StripJob& job, std::uint64_t from);

}  // namespace cloakroom

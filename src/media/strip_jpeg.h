// strip_jpeg.h — metadata of JPEG: every segment that is not known to be harmless.
//
// Source   ITU-T T.81 annex B; Exif 2.32 section 4.7; XMP part 3 section 1.1.3; CIPA DC-007 (several pictures).
// Order    the segments up to the end of the picture, those between its scans too; then what lies behind it.
// Gone     kGps: what strip_exif.h, strip_xmp.h and strip_photoshop.h say; extended XMP (it carries pictures in
// base64);
//          application segments of makers, whose contents nobody can look into. Kept: JFIF, ICC, Adobe, Ducky, SPIFF,
//          several-picture and high-range tables, comments; a manifest of provenance that names no place or device.
//          kAll: all but JFIF, ICC, Adobe and SPIFF; Exif becomes its orientation.
// Behind   pictures and films that lie behind the picture, as phones put them there, are stripped in turn. kAll: zeros.
// Limits   limits::kStripPictures in one file, else it was not read to its end.
#pragma once

#include "media/strip_edits.h"

namespace cloakroom {

// From the "\xFF\xD8" at `from` to the end of the file.
Status strip_jpeg(const StripJob& job, std::uint64_t from);
// Looks for pictures and films from `from` on, which is behind a picture of any kind. kAll: zeros.
Status strip_behind(const StripJob& job, std::uint64_t from);

}  // namespace cloakroom

// strip_png.h — metadata of PNG and APNG, with the checksums of the chunks mended.
//
// Source   PNG 3 (W3C), sections 5 and 11; XMP part 3, section 1.1.5.
// Gone     kGps: what strip_exif.h and strip_xmp.h say in eXIf and in an uncompressed XMP text; texts whose keyword is
// a
//          secret's ("exif:GPSLatitude"); texts that hold Exif or XMP in a form that cannot be edited in place
//          (compressed, or in hexadecimal: "Raw profile type …", zxIf). kAll: all texts, the time, and what a viewer
//          does not need.
// Shape    a chunk that goes becomes the text "Comment" of spaces; Exif stays Exif.
// Behind   as strip_jpeg.h says.
#pragma once

#include "media/strip_edits.h"

namespace cloakroom {

// REQUIRES: the file begins with PNG's eight bytes
Status strip_png(const StripJob& job);

}  // namespace cloakroom

// strip_photoshop.h — Photoshop's resources ("8BIM") without what the Exif and XMP in them tell, at their own length.
//
// Source   Adobe Photoshop File Formats Specification, "Image Resources Section".
// Shape    from the first "8BIM" on. IPTC, thumbnails and the rest are kept. kAll: zeros.
// Errors   none: what is no list of resources becomes zeros from there on.
#pragma once

#include <string>
#include <string_view>

#include "domain/strip_ports.h"

namespace cloakroom {

std::string stripped_photoshop(std::string_view resources, StripMode mode, unsigned depth = 0);

}  // namespace cloakroom

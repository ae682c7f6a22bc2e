// filename.h — makes a file name that came from outside fit to be stored, shown and sent in a header.
//
// Result   UTF-8, never empty, at most limits::kFilenameBytes, no control or bidirectional-override characters, no '/'
// or
//          '\\', not "." or "..". A name that fits already comes back unchanged.
// Path     "C:\\dir\\x.jpg" (old browsers send it) gives "x.jpg"; other separators become '_', so that nothing is lost.
#pragma once

#include <string>
#include <string_view>

namespace cloakroom {

std::string clean_filename(std::string_view raw);

}  // namespace cloakroom

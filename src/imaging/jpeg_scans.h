// jpeg_scans.h — how often a JPEG goes over its whole picture, told without decoding it. Pure: no I/O, no library.
//
// Source   ITU T.81, B.1.1 (markers) and B.2; between them libjpeg's way: what is no marker is skipped.
// Bytes    hostile: a file of some kilobytes may have hundreds of scans, each of which costs as much as a picture.
// Cost     no more than one look at each byte before the end of the image, or before the scan that is one too many.
#pragma once

#include <cstddef>
#include <span>

namespace cloakroom {

// Whether there are more than `most` of them. What stands in a segment (a thumbnail), or after the end, is none.
bool has_more_scans(std::span<const std::byte> jpeg, unsigned most);

}  // namespace cloakroom

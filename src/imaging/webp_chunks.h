// webp_chunks.h — takes the EXIF chunk out of a WebP file that libvips wrote: 8.14 writes one even when told to strip.
//
// Source   WebP Container Specification (RIFF chunks of a four-letter name, a size in little endian, bytes, a pad to
// even). Bytes    ours, so what is no WebP is given back as it is.
#pragma once

#include <string>
#include <string_view>

namespace cloakroom {

std::string webp_without_exif(std::string_view webp);

}  // namespace cloakroom

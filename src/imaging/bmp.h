// bmp.h — pixels of a Windows bitmap, for which libvips has no reader but ImageMagick's. Pure: no I/O, no library.
//
// Source   Windows GDI: BITMAPFILEHEADER, BITMAPCOREHEADER, BITMAPINFOHEADER and its versions 4 and 5.
// Shape    1, 4, 8 bits by a table of colours, 16 and 32 by masks, 24 as they are; rows from below or from above. Not
//          run lengths, nor a JPEG or PNG within: nothing writes these any more.
// Bytes    hostile: each offset is checked before it is used, and the pixels are counted before memory is taken.
// Errors   kUndecodable  cut off, of another kind, or too large
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"

namespace cloakroom {

struct Bitmap {
  std::uint32_t width = 0, height = 0;
  unsigned bands = 3;                // red, green, blue; the fourth is alpha
  std::vector<std::uint8_t> pixels;  // rows from above, width x height x bands
};

Result<Bitmap> read_bmp(std::span<const std::byte> bytes, std::uint64_t max_pixels);

}  // namespace cloakroom

// jpeg.h — JPEG by libjpeg itself: read no larger than it will be shown, in this thread, and written.
//
// Source   ITU T.81, libjpeg's libjpeg.txt. libvips reads by the same library, in blocks of 4 kB and in threads of its
//          own: for a thumbnail these cost much beside the decoding.
// Shape    grey or red, green, blue; the sides are those of the file divided by `shrink`, rounded up. What is written
//          is baseline with Huffman tables of its own, chroma halved.
// Bytes    hostile: before the pixels are read, whoever calls has looked at sides and scans (imaging/picture.h). Pixels
//          are not turned, and their profile is not applied.
// Errors   kUndecodable  broken, cut off, or of four colours
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "imaging/bmp.h"

namespace cloakroom {

struct JpegHead {
  std::uint32_t width = 0, height = 0;  // as stored
  int orientation = 1;                  // 1..8, as EXIF has it
  bool is_plain = false;                // grey, or colours that become red, green, blue; not four of them
  bool has_many_scans = false;          // what a decoder must read before it shows anything; else there is one
  std::vector<std::byte> profile = {};  // of its colours (ICC); empty: none
};

Result<JpegHead> read_jpeg_head(std::span<const std::byte> bytes);

enum class JpegShrink : unsigned { kNone = 1, kHalf = 2, kQuarter = 4, kEighth = 8 };

// A fault that a decoder can mend is mended; one that was cut off is refused.
Result<Bitmap> read_jpeg(std::span<const std::byte> bytes, JpegShrink shrink);

// `bitmap`: 1 or 3 bands. `quality`: 1..100.
Result<std::vector<std::byte>> write_jpeg(const Bitmap& bitmap, int quality);

}  // namespace cloakroom

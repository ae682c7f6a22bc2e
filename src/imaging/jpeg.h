// jpeg.h — a JPEG decoded at an eighth or a quarter of its size, which is most of the work of a thumbnail.
//
// Why      libvips gives libjpeg 4 KiB at a time, and with so little at hand libjpeg decodes by its slow path; from the
//          whole file it takes a tenth less. Larger pictures stay with libvips, which holds only some rows of them.
// Shape    Grey (1 band) or red, green, blue; neither turned nor converted: profile and orientation are the caller's.
// Bytes    hostile, and their dimensions checked before. What is cut off is refused; lesser faults libjpeg mends.
// Errors   kUnsupportedType  neither grey nor YCbCr or RGB: CMYK
//          kUndecodable      broken
#pragma once

#include <cstddef>
#include <span>

#include "imaging/bmp.h"

namespace cloakroom {

// `part`: 8 or 4, of which one is decoded.
Result<Bitmap> read_small_jpeg(std::span<const std::byte> bytes, unsigned part);

}  // namespace cloakroom

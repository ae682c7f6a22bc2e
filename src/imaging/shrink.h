// shrink.h — fewer pixels of a picture: upright, sRGB or grey, 8 bits, without metadata.
//
// Shape    the pixels are computed when they are asked for, but for those of a JPEG that is made four times smaller or
//          more: they are there, and no thread was started for them.
// Errors   kUndecodable  the file is broken or cut off; where pixels come later, so does this
// Lifetime the Picture and its bytes must outlive what was made of it.
#pragma once

#include "imaging/picture.h"

namespace cloakroom {

// Pixels, at least 1. Nothing grows.
struct Box {
  int width, height;
};

Result<VipsPicture> shrink(const Picture& picture, Box box, bool all_frames);

// Takes what a step of libvips has made in place of what it was made from.
Status replace(VipsPicture& picture, int failed, VipsImage* made, std::string_view step);

// All pixels of a still one, now and in this thread. REQUIRES: 8 bits; what it is made from is in memory.
Result<Bitmap> pixels_of(VipsImage* picture);

}  // namespace cloakroom

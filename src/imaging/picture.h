// picture.h — a file that was looked at: its loader fits its type, its limits hold, and no pixel was decoded yet.
//
// Limits   max_pixels for width x height of one frame; sides up to limits::kImageSide. Of a moving picture so many
//          frames are kept as max_pixels and limits::kImageFrames allow, the first at least. A JPEG has at most
//          limits::kJpegScans scans.
// Errors   kUnsupportedType  there are no pictures of this type
//          kUndecodable      broken, too large, or not what its type says
// Lifetime The bytes must outlive the Picture.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "domain/image_ports.h"
#include "imaging/bmp.h"
#include "imaging/jpeg.h"
#include "imaging/vips.h"

namespace cloakroom {

struct Picture {
  std::span<const std::byte> bytes;
  std::uint32_t width = 0, height = 0;  // pixels of a frame, as a viewer sees it: orientation applied
  std::uint32_t frames = 1;             // or pages
  std::uint32_t kept_frames = 1;        // that a moving copy of it would have
  std::uint32_t duration_ms = 0;
  bool has_alpha = false;
  bool is_drawn = false;              // SVG, PDF
  Bitmap own = {};                    // where we read it ourselves; empty otherwise
  bool has_profile = false;           // of colours; without one it is sRGB, or what its kind of colours usually is
  std::optional<JpegHead> jpeg = {};  // of one that imaging/jpeg can read
};

Result<Picture> open_picture(std::span<const std::byte> bytes, std::string_view mime_type, std::uint64_t max_pixels);

// Where libvips may read, by the loader that its type may have. Each reading needs one of its own.
Result<VipsInput> input_of(const Picture& picture);

}  // namespace cloakroom

// image_ports.h — what the domain needs of a decoder of pictures, which lives in a process of its own.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/file.h"
#include "base/handle.h"
#include "base/result.h"

namespace cloakroom {

enum class ImageFormat { kJpeg, kPng, kWebp, kAvif, kGif };

// What a look at a file tells. Sides are as a viewer sees it: after the orientation was applied.
struct ImageFacts {
  std::uint32_t width = 0, height = 0;  // pixels; 0 where it has none (sound)
  std::uint32_t frames = 1;             // or pages
  std::uint32_t duration_ms = 0;        // 0: it stands still, or it is not cheap to tell
  bool has_alpha = false;
  std::string placeholder = {};  // "data:image/webp;base64,…", at most limits::kPlaceholderBytes; empty: none
};

// A box that the picture is to fit in, never larger than it was.
struct Rendering {
  std::uint32_t max_width = 0, max_height = 0;  // pixels; 0: this side is free
  ImageFormat format = ImageFormat::kJpeg;
};

struct Rendered {
  std::uint32_t width = 0, height = 0;
  std::uint64_t size_bytes = 0;
  ImageFormat format = ImageFormat::kJpeg;  // other than asked where it could not be: a moving picture as JPEG
  UniqueFd file = {};                       // nameless, at its beginning
};

// Errors   kUndecodable  it is broken, too large in pixels, not what its type says, or a bomb; asking again is no use
//          (retryable: whoever looked at it ended, which may have had another reason)
//          kUnsupportedType  this kind has no pictures here
//          kImagerAway   down or too busy; retryable
// Memory   no pixel is ever in this process.
class Imager {
 public:
  virtual ~Imager() = default;
  virtual Result<ImageFacts> probe(const FileRange& bytes, std::string_view mime_type) = 0;
  virtual Result<Rendered> render(const FileRange& bytes, std::string_view mime_type, const Rendering& wanted) = 0;
};

}  // namespace cloakroom

// render.h — smaller pictures of a picture, and its placeholder.
//
// Result   8 bits, sRGB (or grey), upright, without any metadata; alpha is kept in PNG, WebP, AVIF and GIF, and laid on
//          white in JPEG. Never larger than the original. A moving one moves in WebP and GIF, with at most
//          Picture::kept_frames; in the others it is its first frame.
// Errors   kUndecodable  the pixels are broken or cut off; the file behind `fd` is then worth nothing
#pragma once

#include <string>

#include "imaging/picture.h"
#include "media/image_protocol.h"

namespace cloakroom {

// Writes to `fd`, which is borrowed and at its beginning.
Result<RenderedFacts> render_picture(const Picture& picture, const Rendering& wanted, int fd);

// "data:image/webp;base64,…", on white, at most limits::kPlaceholderBytes.
Result<std::string> placeholder_of(const Picture& picture);

}  // namespace cloakroom

// image_client.h — asks cloakroom-image, by its Unix socket, for what is known of a picture and for smaller ones.
//
// Shape    one connection a question (media/image_protocol.h); the file travels as a descriptor, never as bytes.
// Result   goes into a memory file (memfd), not into a folder: the helper needs no right to write anywhere, the
//          worker's Landlock rules need no folder for it, and it can be sealed: from then on it has the bytes that were
//          measured, even if who made it still holds it. At most limits::kImageOutputBytes of memory, mostly 20 kB.
// Errors   as Imager. kUndecodable also when the connection ends without an answer: the picture killed its helper.
//          kImagerAway  no socket there, nobody read the question (the service restarts), or no answer within `timeout`
// Log      nothing; the error's detail says what was wrong
#pragma once

#include <chrono>
#include <string>

#include "domain/image_ports.h"

namespace cloakroom {

struct ImageClientOptions {
  std::string socket;                   // path
  std::chrono::milliseconds timeout{};  // for one question, the wait for a free helper included
};

class ImageClient final : public Imager {
 public:
  explicit ImageClient(ImageClientOptions options) : options_(std::move(options)) {}

  // Kinds that never have a picture (text, archives) are answered without asking.
  Result<ImageFacts> probe(const FileRange& bytes, std::string_view mime_type) override;
  Result<Rendered> render(const FileRange& bytes, std::string_view mime_type, const Rendering& wanted) override;

  // Whether a picture of one pixel is understood.
  Status ready();

 private:
  ImageClientOptions options_;
};

}  // namespace cloakroom

// config_images.cc — where pictures are made, how large they may be, and what one may cost.
#include "base/config_images.h"

namespace cloakroom {
namespace {

constexpr std::size_t kSocketPathBytes = 107;  // sun_path
constexpr std::uint64_t kMostReuse = 1000;
constexpr std::uint64_t kMostPixels = 1'000'000'000;
constexpr std::uint64_t kLeastMemory = 256ULL << 20;  // the libraries alone have most of that as addresses
constexpr std::uint64_t kMostMemory = 64ULL << 30;

}  // namespace

ImagesConfig read_images(Reader& in) {
  ImagesConfig c;
  c.socket = in.text("IMAGE_SOCKET");
  if (!c.socket.empty() && (!c.socket.starts_with('/') || c.socket.size() > kSocketPathBytes)) {
    in.problem("IMAGE_SOCKET", "'" + c.socket + "' is not the path of a socket (absolute, at most 107 bytes)");
  }
  c.ffmpeg = in.text("IMAGE_FFMPEG");
  if (c.ffmpeg == "off") c.ffmpeg.clear();
  if (!c.ffmpeg.empty() && !c.ffmpeg.starts_with('/')) {
    in.problem("IMAGE_FFMPEG", "'" + c.ffmpeg + "' is neither the path of a program (absolute) nor off");
  }
  c.workers = static_cast<std::uint32_t>(in.number("IMAGE_WORKERS", 0, 256));
  c.reuse = static_cast<std::uint32_t>(in.number("IMAGE_REUSE", 1, kMostReuse));
  c.max_pixels = in.number("IMAGE_MAX_PIXELS", 1, kMostPixels);
  c.memory_bytes = in.bytes("IMAGE_MEMORY");
  if (c.memory_bytes < kLeastMemory || c.memory_bytes > kMostMemory) {
    in.problem("IMAGE_MEMORY", "is not between 256M and 64G");
  }
  c.timeout = std::chrono::seconds(in.number("IMAGE_TIMEOUT", 1, 300));
  return c;
}

Result<ImagerConfig> read_imager_config(const EnvLookup& env) {
  Reader in(env);
  ImagerConfig c;
  c.images = read_images(in);
  c.sandbox = in.one_of("SANDBOX", "on off") == "on";
  c.log_level = in.one_of("LOG_LEVEL", "error warning info debug");
  if (!in.problems().empty()) return Error{Errc::kInvalid, in.problems()};
  return c;
}

}  // namespace cloakroom

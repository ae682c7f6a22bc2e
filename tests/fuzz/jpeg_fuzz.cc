// jpeg_fuzz.cc — any bytes as a JPEG: what is read has as many bytes as its sides say, and what its head said.
#include <cstdint>

#include "imaging/jpeg.h"

using namespace cloakroom;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  const auto head = read_jpeg_head(bytes);
  if (!head) {
    if (head.error().code != Errc::kUndecodable) BUG("another error");
    return 0;
  }
  if (head->orientation < 1 || head->orientation > 8) BUG("no such orientation");
  constexpr std::uint64_t kMostPixels = 1U << 18;
  if (!head->is_plain || head->has_many_scans || std::uint64_t{head->width} * head->height > kMostPixels) return 0;
  const auto made = read_jpeg(bytes, JpegShrink::kQuarter);
  if (!made) return 0;
  if (made->width != (head->width + 3) / 4 || made->height != (head->height + 3) / 4) BUG("another size");
  if (made->pixels.size() != std::size_t{made->width} * made->height * made->bands) BUG("another number of bytes");
  return 0;
}

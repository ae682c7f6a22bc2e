// bmp_fuzz.cc — any bytes as a Windows bitmap: what is read has as many bytes as its sides say, and no more than
// allowed.
#include <cstdint>

#include "imaging/bmp.h"

using namespace cloakroom;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::uint64_t kMostPixels = 100000;
  const auto made = read_bmp(std::as_bytes(std::span(data, size)), kMostPixels);
  if (!made) {
    if (made.error().code != Errc::kUndecodable) BUG("another error");
    return 0;
  }
  const std::uint64_t pixels = std::uint64_t{made->width} * made->height;
  if (pixels == 0 || pixels > kMostPixels) BUG("beyond the limit");
  if (made->pixels.size() != pixels * made->bands) BUG("another size");
  return 0;
}

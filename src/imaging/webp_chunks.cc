// webp_chunks.cc — copies the chunks that are wanted, and mends the sizes and flags that speak of the others.
#include "imaging/webp_chunks.h"

#include <cstddef>
#include <cstdint>

namespace cloakroom {
namespace {

constexpr std::size_t kFileHead = 12, kChunkHead = 8;
constexpr unsigned kHasExif = 0x08;  // in the first byte of VP8X

std::uint32_t little_endian(std::string_view four) {
  std::uint32_t value = 0;
  for (std::size_t i = 4; i-- > 0;) value = value << 8 | static_cast<unsigned char>(four[i]);
  return value;
}

std::string little_endian(std::size_t value) {
  std::string four;
  for (unsigned shift = 0; shift < 32; shift += 8) four += static_cast<char>(value >> shift & 0xFF);
  return four;
}

}  // namespace

std::string webp_without_exif(std::string_view webp) {
  const std::string as_it_is(webp);
  if (webp.size() < kFileHead || !webp.starts_with("RIFF") || webp.substr(8, 4) != "WEBP") return as_it_is;
  std::string kept = "WEBP";
  std::string_view rest = webp.substr(kFileHead);
  while (!rest.empty()) {
    if (rest.size() < kChunkHead) return as_it_is;
    const std::size_t size = kChunkHead + little_endian(rest.substr(4, 4));
    const std::size_t padded = size + size % 2;
    if (padded > rest.size()) return as_it_is;
    std::string chunk(rest.substr(0, padded));
    rest.remove_prefix(padded);
    if (chunk.starts_with("EXIF")) continue;
    if (chunk.starts_with("VP8X") && size > kChunkHead) {
      const unsigned flags = static_cast<unsigned char>(chunk[kChunkHead]) & ~kHasExif;
      if (flags == 0) continue;  // nothing is left that it would have to announce
      chunk[kChunkHead] = static_cast<char>(flags);
    }
    kept += chunk;
  }
  return "RIFF" + little_endian(kept.size()) + kept;
}

}  // namespace cloakroom

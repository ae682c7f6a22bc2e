// jpeg_scans.cc — from marker to marker.
#include "imaging/jpeg_scans.h"

#include <cstring>

namespace cloakroom {
namespace {

constexpr std::byte kMark{0xff}, kNoMarker{0x00}, kTemporary{0x01}, kFirstRestart{0xd0}, kStart{0xd8}, kEnd{0xd9};
constexpr std::byte kScan{0xda};

// What stands alone, without a length behind it.
bool is_bare(std::byte marker) {
  return marker == kTemporary || marker == kNoMarker || (marker >= kFirstRestart && marker <= kStart);
}

// The place behind the next 0xff and the others that may follow it: of the marker's second byte, or the end.
std::size_t next_marker(std::span<const std::byte> jpeg, std::size_t from) {
  if (from >= jpeg.size()) return jpeg.size();
  const auto rest = jpeg.subspan(from);
  const void* const found = std::memchr(rest.data(), std::to_integer<int>(kMark), rest.size());
  if (found == nullptr) return jpeg.size();
  std::size_t at = from + static_cast<std::size_t>(static_cast<const std::byte*>(found) - rest.data());
  while (at < jpeg.size() && jpeg[at] == kMark) ++at;
  return at;
}

}  // namespace

bool has_more_scans(std::span<const std::byte> jpeg, unsigned most) {
  unsigned scans = 0;
  std::size_t at = next_marker(jpeg, 0);
  while (at < jpeg.size() && jpeg[at] != kEnd) {
    const std::byte marker = jpeg[at++];
    if (marker == kScan && ++scans > most) return true;
    if (!is_bare(marker)) {
      if (jpeg.size() - at < 2) return false;
      at += std::to_integer<std::size_t>(jpeg[at]) << 8 | std::to_integer<std::size_t>(jpeg[at + 1]);
    }
    at = next_marker(jpeg, at);
  }
  return false;
}

}  // namespace cloakroom

// boxes.cc — headers of 8 and of 16 bytes.
#include "media/boxes.h"

#include <algorithm>

#include "media/big_endian.h"

namespace cloakroom {

Result<std::optional<Box>> box_at(Pieces& in, std::uint64_t at, std::uint64_t end) {
  constexpr std::uint64_t kHeader = 8, kLongHeader = 16;
  if (at > end || end - at < kHeader) return std::optional<Box>();
  TRY_ASSIGN(const std::string_view head, in.view(at, kLongHeader));
  if (head.size() < kHeader) return std::optional<Box>();
  Box box{.at = at, .content = at + kHeader, .end = end, .type = std::string(head.substr(4, 4))};
  const bool is_word =
      std::all_of(box.type.begin(), box.type.end(), [](char c) { return (c >= ' ' && c <= '~') || c == '\xA9'; });
  if (!is_word) return std::optional<Box>();
  std::uint64_t size = big_endian(head, 0, 4);
  if (size == 0) return std::optional(box);  // to the end
  if (size == 1) {
    size = big_endian(head, kHeader, 8);
    box.content = at + kLongHeader;
    if (head.size() < kLongHeader || end - at < kLongHeader) return std::optional<Box>();
  }
  if (size < box.content - at) return std::optional<Box>();
  box.is_cut = size > end - at;
  box.end = at + std::min(size, end - at);
  return std::optional(box);
}

}  // namespace cloakroom

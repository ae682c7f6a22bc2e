// bmp.cc — heads of all versions, then rows by a table, by masks, or as they are.
#include "imaging/bmp.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>
#include <string>

#include "base/limits.h"

namespace cloakroom {
namespace {

constexpr std::size_t kFileHead = 14, kCoreHead = 12, kInfoHead = 40, kAlphaHead = 56;
constexpr std::uint32_t kPlain = 0, kBitfields = 3, kAlphaBitfields = 6;  // BI_RGB and its like

Error broken(const char* what) {
  return Error{Errc::kUndecodable, std::string("bmp: ") + what};
}

// Little endian; REQUIRES: at + size lies within.
class Bytes {
 public:
  explicit Bytes(std::span<const std::byte> all) : all_(all) {}

  bool has(std::uint64_t at, std::uint64_t size) const { return at <= all_.size() && size <= all_.size() - at; }
  std::uint8_t u8(std::size_t at) const { return std::to_integer<std::uint8_t>(all_[at]); }
  std::uint32_t u16(std::size_t at) const { return u8(at) | static_cast<std::uint32_t>(u8(at + 1)) << 8; }
  std::uint32_t u32(std::size_t at) const { return u16(at) | u16(at + 2) << 16; }
  std::int32_t i32(std::size_t at) const { return static_cast<std::int32_t>(u32(at)); }

 private:
  std::span<const std::byte> all_;
};

using Masks = std::array<std::uint32_t, 4>;  // red, green, blue, alpha; 0: none

struct Head {
  std::uint32_t width = 0, height = 0;
  bool is_from_above = false;
  unsigned bits = 0;
  std::uint64_t pixels_at = 0, stride = 0;
  std::size_t table_at = 0, table_entry = 4, table_size = 0;
  Masks masks{};
};

Status read_sides(const Bytes& in, std::size_t head_size, Head& head) {
  std::int64_t width = 0;
  std::int64_t height = 0;
  if (head_size == kCoreHead) {
    width = in.u16(18);
    height = in.u16(20);
    head.bits = in.u16(24);
  } else {
    width = in.i32(18);
    height = in.i32(22);
    head.bits = in.u16(28);
  }
  head.is_from_above = height < 0;
  height = std::abs(height);
  if (width < 1 || height < 1 || std::max(width, height) > limits::kImageSide) return broken("its sides are wrong");
  head.width = static_cast<std::uint32_t>(width);
  head.height = static_cast<std::uint32_t>(height);
  return Ok{};
}

Status read_masks(const Bytes& in, std::size_t head_size, std::uint32_t compression, Head& head) {
  if (compression == kPlain) {
    if (head.bits == 16) head.masks = {0x7C00, 0x03E0, 0x001F, 0};
    if (head.bits == 32) head.masks = {0xFF0000, 0xFF00, 0xFF, 0};
    return Ok{};
  }
  const bool has_alpha = compression == kAlphaBitfields || head_size >= kAlphaHead;
  const std::size_t count = has_alpha ? 4 : 3;
  // within the head, or, where that is of the shortest kind, after it
  if (!in.has(kFileHead + kInfoHead, count * 4)) return broken("it is cut off in its masks");
  for (std::size_t i = 0; i < count; ++i) head.masks[i] = in.u32(kFileHead + kInfoHead + 4 * i);
  for (const std::uint32_t mask : head.masks) {
    const std::uint32_t low = mask == 0 ? 0 : mask >> std::countr_zero(mask);
    if ((low & (low + 1)) != 0) return broken("its masks have holes");
  }
  if (head.masks[0] == 0 || head.masks[1] == 0 || head.masks[2] == 0) return broken("it lacks a mask");
  return Ok{};
}

Result<Head> read_head(const Bytes& in) {
  if (!in.has(0, kFileHead + kCoreHead) || in.u8(0) != 'B' || in.u8(1) != 'M') return broken("it has no head");
  const std::size_t head_size = in.u32(kFileHead);
  const bool is_core = head_size == kCoreHead;
  if ((!is_core && head_size < kInfoHead) || !in.has(kFileHead, head_size)) return broken("its head is wrong");
  Head head;
  head.pixels_at = in.u32(10);
  TRY(read_sides(in, head_size, head));
  const std::uint32_t compression = is_core ? kPlain : in.u32(30);
  const bool by_masks = compression == kBitfields || compression == kAlphaBitfields;
  if (!by_masks && compression != kPlain) return broken("it is compressed");
  constexpr std::array kBits{1U, 4U, 8U, 16U, 24U, 32U};
  if (std::find(kBits.begin(), kBits.end(), head.bits) == kBits.end()) return broken("its depth is wrong");
  if (by_masks && head.bits != 16 && head.bits != 32) return broken("its depth has no masks");
  TRY(read_masks(in, head_size, compression, head));
  if (head.bits <= 8) {
    const std::uint32_t used = is_core ? 0 : in.u32(46);
    head.table_size = used == 0 || used > (1U << head.bits) ? 1U << head.bits : used;
    head.table_entry = is_core ? 3 : 4;
    head.table_at = kFileHead + head_size;
    if (!in.has(head.table_at, head.table_size * head.table_entry)) return broken("it is cut off in its colours");
  }
  head.stride = (std::uint64_t{head.bits} * head.width + 31) / 32 * 4;
  return head;
}

// A part of a pixel, stretched to 8 bits.
std::uint8_t part(std::uint32_t pixel, std::uint32_t mask) {
  if (mask == 0) return 255;
  const int shift = std::countr_zero(mask);
  const std::uint64_t most = mask >> shift;
  return static_cast<std::uint8_t>((std::uint64_t{(pixel & mask) >> shift} * 255 + most / 2) / most);
}

// Index of a colour; what lies beyond the table is its first.
std::size_t colour_at(const Bytes& in, const Head& head, std::size_t row_at, std::uint32_t x) {
  const unsigned per_byte = 8 / head.bits;
  const unsigned shift = 8 - head.bits * (x % per_byte + 1);
  const std::size_t index = in.u8(row_at + x / per_byte) >> shift & ((1U << head.bits) - 1);
  return head.table_at + (index < head.table_size ? index : 0) * head.table_entry;
}

void read_row(const Bytes& in, const Head& head, std::size_t row_at, std::span<std::uint8_t> out) {
  std::size_t to = 0;
  for (std::uint32_t x = 0; x < head.width; ++x) {
    if (head.masks[0] != 0) {
      const std::uint32_t pixel =
          head.bits == 16 ? in.u16(row_at + 2 * std::size_t{x}) : in.u32(row_at + 4 * std::size_t{x});
      for (std::size_t band = 0; band < (head.masks[3] == 0 ? 3U : 4U); ++band)
        out[to++] = part(pixel, head.masks[band]);
      continue;
    }
    const std::size_t bgr = head.bits == 24 ? row_at + 3 * std::size_t{x} : colour_at(in, head, row_at, x);
    for (const std::size_t band : {2U, 1U, 0U}) out[to++] = in.u8(bgr + band);
  }
}

}  // namespace

Result<Bitmap> read_bmp(std::span<const std::byte> bytes, std::uint64_t max_pixels) {
  const Bytes in(bytes);
  TRY_ASSIGN(const Head head, read_head(in));
  if (std::uint64_t{head.width} * head.height > max_pixels) return broken("it has too many pixels");
  if (!in.has(head.pixels_at, head.stride * head.height)) return broken("it is cut off");
  Bitmap made{head.width, head.height, head.masks[3] == 0 ? 3U : 4U, {}};
  const std::size_t row_size = std::size_t{head.width} * made.bands;
  made.pixels.resize(row_size * head.height);
  for (std::uint32_t y = 0; y < head.height; ++y) {
    const std::uint32_t from = head.is_from_above ? y : head.height - 1 - y;
    read_row(in, head, head.pixels_at + head.stride * from, std::span(made.pixels).subspan(row_size * y, row_size));
  }
  return made;
}

}  // namespace cloakroom

// tiff.cc — numbers and entries.
#include "media/tiff.h"

#include <array>

namespace cloakroom {
namespace {

// By type, 0 unknown: BYTE ASCII SHORT LONG RATIONAL SBYTE UNDEFINED SSHORT SLONG SRATIONAL FLOAT DOUBLE IFD
constexpr std::array<std::uint8_t, 14> kTypeBytes{0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4};
constexpr std::uint16_t kByte = 1, kShort = 3, kLong = 4, kIfd = 13;
constexpr std::uint16_t kOrientation = 0x0112;

}  // namespace

std::uint64_t Tiff::number(std::uint64_t at, unsigned size) const {
  std::uint64_t out = 0;
  for (unsigned i = 0; i < size; ++i) {
    const auto byte = static_cast<unsigned char>(bytes_[static_cast<std::size_t>(at) + (is_big_ ? i : size - 1 - i)]);
    out = out << 8 | byte;
  }
  return out;
}

std::string Tiff::written(std::uint64_t number, unsigned size) const {
  std::string out(size, '\0');
  for (unsigned i = 0; i < size; ++i) out[is_big_ ? size - 1 - i : i] = static_cast<char>(number >> (8 * i) & 0xFF);
  return out;
}

bool Tiff::is_tiff() const {
  using namespace std::string_view_literals;
  return has(0, kHeaderBytes) && (bytes_.starts_with("II*\0"sv) || bytes_.starts_with("MM\0*"sv));
}

Tiff::Entry Tiff::entry(std::uint64_t at) const {
  Entry e{.tag = u16(at), .type = u16(at + 2), .count = u32(at + 4)};
  if (e.type < kTypeBytes.size()) e.size_bytes = std::uint64_t{e.count} * kTypeBytes[e.type];
  e.is_inside = e.size_bytes <= 4;
  e.at = e.is_inside ? at + 8 : u32(at + 8);
  return e;
}

std::uint32_t Tiff::value(const Entry& entry, std::uint32_t n) const {
  switch (entry.type) {
    case kByte:
      return static_cast<std::uint32_t>(number(entry.at + n, 1));
    case kShort:
      return u16(entry.at + 2 * std::uint64_t{n});
    case kLong:
    case kIfd:
      return u32(entry.at + 4 * std::uint64_t{n});
    default:
      return 0;
  }
}

std::uint16_t Tiff::orientation() const {
  if (!is_tiff()) return 0;
  const std::uint64_t folder = u32(4);
  if (!has(folder, 2)) return 0;
  const std::uint16_t count = u16(folder);
  for (std::uint64_t i = 0, at = folder + 2; i < count && has(at, kEntryBytes); ++i, at += kEntryBytes) {
    const Entry e = entry(at);
    if (e.tag != kOrientation || e.count != 1 || !e.is_inside) continue;
    const std::uint32_t found = value(e, 0);
    return found >= 1 && found <= 8 ? static_cast<std::uint16_t>(found) : 0;
  }
  return 0;
}

}  // namespace cloakroom

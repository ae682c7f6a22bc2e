// big_endian.h — unsigned numbers of formats that write the highest byte first.
#pragma once

#include <cstdint>
#include <string_view>

namespace cloakroom {

// `size` bytes from `at` on, 1 to 8. What lies beyond the end counts as zeros.
inline std::uint64_t big_endian(std::string_view bytes, std::size_t at, std::size_t size) {
  std::uint64_t out = 0;
  for (std::size_t i = 0; i < size; ++i) {
    const unsigned char byte = at + i < bytes.size() ? static_cast<unsigned char>(bytes[at + i]) : 0U;
    out = out << 8 | byte;
  }
  return out;
}

}  // namespace cloakroom

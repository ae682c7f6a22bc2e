// tiff.h — numbers of a TIFF structure in memory, in its own byte order.
//
// Source   TIFF 6.0, section 2.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace cloakroom {

class Tiff {
 public:
  static constexpr std::size_t kHeaderBytes = 8;
  static constexpr std::size_t kEntryBytes = 12;

  struct Entry {
    std::uint16_t tag = 0, type = 0;
    std::uint32_t count = 0;
    std::uint64_t at = 0;          // where its value is, in its entry or elsewhere
    std::uint64_t size_bytes = 0;  // 0: of an unknown type
    bool is_inside = false;        // in the entry itself
  };

  explicit Tiff(std::string_view bytes) : bytes_(bytes), is_big_(bytes.starts_with("MM")) {}

  // "II*\0" or "MM\0*": not the 64 bit kind.
  bool is_tiff() const;
  bool is_big_endian() const { return is_big_; }
  bool has(std::uint64_t at, std::uint64_t size) const { return at <= bytes_.size() && size <= bytes_.size() - at; }
  // REQUIRES: has()
  std::uint16_t u16(std::uint64_t at) const { return static_cast<std::uint16_t>(number(at, 2)); }
  std::uint32_t u32(std::uint64_t at) const { return static_cast<std::uint32_t>(number(at, 4)); }
  std::string_view bytes(std::uint64_t at, std::uint64_t size) const {
    return bytes_.substr(static_cast<std::size_t>(at), static_cast<std::size_t>(size));
  }
  Entry entry(std::uint64_t at) const;
  // The n-th number of a BYTE, SHORT, LONG or IFD entry; 0 for another type. REQUIRES: n < count, has(entry's value)
  std::uint32_t value(const Entry& entry, std::uint32_t n) const;
  // "1 to 8" of the first folder; 0: none.
  std::uint16_t orientation() const;

  std::string write16(std::uint16_t number) const { return written(number, 2); }
  std::string write32(std::uint32_t number) const { return written(number, 4); }

 private:
  std::uint64_t number(std::uint64_t at, unsigned size) const;
  std::string written(std::uint64_t number, unsigned size) const;

  std::string_view bytes_;
  bool is_big_;
};

}  // namespace cloakroom

// imaging_bmp_test.cc — Windows bitmaps of each depth and head, from below and above; cut off anywhere, and lying.
#include "imaging/bmp.h"

#include <string>

#include "check.h"

using namespace cloakroom;  // NOLINT: a test

namespace {

std::string le(std::uint32_t value, unsigned bytes = 4) {
  std::string out;
  for (unsigned i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i) & 0xFF);
  return out;
}

struct Made {
  std::int32_t width = 2, height = 2;
  unsigned bits = 24, compression = 0, used = 0;
  std::string between = {};  // masks and colours
  std::string rows = {};
};

std::string bmp(const Made& m) {
  const std::string info = le(40) + le(static_cast<std::uint32_t>(m.width)) + le(static_cast<std::uint32_t>(m.height)) +
                           le(1, 2) + le(m.bits, 2) + le(m.compression) + le(0) + le(0) + le(0) + le(m.used) + le(0);
  const auto at = static_cast<std::uint32_t>(14 + info.size() + m.between.size());
  return "BM" + le(0) + le(0) + le(at) + info + m.between + m.rows;
}

Result<Bitmap> read(const std::string& bytes, std::uint64_t max_pixels = 1000) {
  return read_bmp(std::as_bytes(std::span(bytes)), max_pixels);
}

// "ff0000 00ff00 / …": pixels as text
std::string shown(const Bitmap& b) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  for (std::size_t i = 0; i < b.pixels.size(); ++i) {
    if (i > 0 && i % b.bands == 0) out += i % (std::size_t{b.bands} * b.width) == 0 ? '/' : ' ';
    out += kHex[b.pixels[i] >> 4];
    out += kHex[b.pixels[i] & 15];
  }
  return out;
}

const std::string kRgbRows("\x01\x02\x03\x11\x12\x13\0\0\x21\x22\x23\x31\x32\x33\0\0", 16);

}  // namespace

static void rows_come_from_below_or_from_above() {
  CHECK_EQ(shown(CHECK_OK(read(bmp({.rows = kRgbRows})))), "232221 333231/030201 131211");
  CHECK_EQ(shown(CHECK_OK(read(bmp({.height = -2, .rows = kRgbRows})))), "030201 131211/232221 333231");
}

static void colours_of_a_table() {
  const std::string table = std::string("\0\0\xff\0\xff\0\0\0", 8);
  const std::string one = std::string("\x40\0\0\0\x80\0\0\0", 8);
  CHECK_EQ(shown(CHECK_OK(read(bmp({.bits = 1, .between = table, .rows = one})))), "0000ff ff0000/ff0000 0000ff");
  const std::string four = std::string("\x01\0\0\0\x10\0\0\0", 8);
  CHECK_EQ(shown(CHECK_OK(read(bmp({.bits = 4, .used = 2, .between = table, .rows = four})))),
           "0000ff ff0000/ff0000 0000ff");
  const std::string eight = std::string("\0\x01\0\0\x01\xff\0\0", 8);  // one that is not in the table is its first
  CHECK_EQ(shown(CHECK_OK(read(bmp({.bits = 8, .used = 2, .between = table, .rows = eight})))),
           "0000ff ff0000/ff0000 0000ff");
}

static void colours_by_masks() {
  const std::string plain = le(0x7C00, 2) + le(0x03E0, 2) + le(0x001F, 2) + le(0x7FFF, 2);
  CHECK_EQ(shown(CHECK_OK(read(bmp({.bits = 16, .rows = plain})))), "0000ff ffffff/ff0000 00ff00");
  const std::string masks = le(0xF800) + le(0x07E0) + le(0x001F);
  CHECK_EQ(shown(CHECK_OK(read(bmp({.bits = 16, .compression = 3, .between = masks, .rows = plain})))),
           "0000ff 7bffff/7b8200 007d00");
  const std::string four = le(0xFF) + le(0xFF00) + le(0xFF0000) + le(0xFF000000);
  const std::string rows = le(0x80332211) + le(0xFF000000) + le(0) + le(0xFFFFFFFF);
  CHECK_EQ(shown(CHECK_OK(read(bmp({.bits = 32, .compression = 6, .between = four, .rows = rows})))),
           "00000000 ffffffff/11223380 000000ff");
  CHECK_EQ(shown(CHECK_OK(read(bmp({.bits = 32, .rows = rows})))), "000000 ffffff/332211 000000");
}

static void the_oldest_head() {
  const std::string core = le(12) + le(2, 2) + le(2, 2) + le(1, 2) + le(24, 2);
  CHECK_EQ(shown(CHECK_OK(read("BM" + le(0) + le(0) + le(26) + core + kRgbRows))), "232221 333231/030201 131211");
}

static void what_is_cut_off_is_refused_wherever() {
  const std::string table = std::string("\0\0\xff\0\xff\0\0\0", 8);
  for (const std::string& whole :
       {bmp({.rows = kRgbRows}), bmp({.bits = 1, .between = table, .rows = std::string(8, '\0')}),
        bmp({.bits = 32,
        .compression = 3,
        .between = le(0xFF) + le(0xFF00) + le(0xFF0000),
        .rows = std::string(16, 'x')})}) {
    CHECK_OK(read(whole));
    for (std::size_t size = 0; size < whole.size(); ++size) CHECK_ERR(read(whole.substr(0, size)), Errc::kUndecodable);
  }
}

static void lies_are_refused() {
  for (const Made& m :
       std::initializer_list<Made>{{.width = 0},
                                   {.width = -2},
                                   {.height = 0},
                                   {.height = INT32_MIN},
                                   {.width = 65536},
                                   {.width = INT32_MAX},
                                   {.bits = 2},
                                   {.bits = 0},
                                   {.bits = 64},
                                   {.bits = 8, .compression = 1},
                                   {.compression = 4},
                                   {.compression = 3},
                                   {.bits = 32, .compression = 3, .between = le(0) + le(1) + le(2)},
                                   {.bits = 32, .compression = 3, .between = le(0x5) + le(0xFF00) + le(0xFF0000)}}) {
    Made with_rows = m;
    with_rows.rows = std::string(64, 'x');
    CHECK_ERR(read(bmp(with_rows)), Errc::kUndecodable);
  }
  std::string far = bmp({.rows = kRgbRows});
  far.replace(10, 4, le(0xFFFFFFF0));
  CHECK_ERR(read(far), Errc::kUndecodable);
  std::string head = bmp({.rows = kRgbRows});
  head.replace(14, 4, le(0xFFFFFFFF));
  CHECK_ERR(read(head), Errc::kUndecodable);
}

static void pixels_are_counted_before_memory_is_taken() {
  CHECK_OK(read(bmp({.rows = kRgbRows}), 4));
  CHECK_ERR(read(bmp({.rows = kRgbRows}), 3), Errc::kUndecodable);
  CHECK_ERR(read(bmp({.width = 65535, .height = 65535}), 1ULL << 40), Errc::kUndecodable);  // not there
}

int main() {
  const CMUnitTest tests[] = {
      CASE(rows_come_from_below_or_from_above),
      CASE(colours_of_a_table),
      CASE(colours_by_masks),
      CASE(the_oldest_head),
      CASE(what_is_cut_off_is_refused_wherever),
      CASE(lies_are_refused),
      CASE(pixels_are_counted_before_memory_is_taken),
  };
  return RUN_TESTS("imaging_bmp", tests);
}

// imaging_jpeg_test.cc — JPEG by libjpeg: there and back, smaller, turned, with a profile; cut off and broken anywhere.
#include "imaging/jpeg.h"

#include <cstdlib>
#include <string>

#include "check.h"

using namespace cloakroom;  // NOLINT: a test

namespace {

// Left half red, right half blue.
Bitmap halves(std::uint32_t width, std::uint32_t height, unsigned bands = 3) {
  Bitmap b{width, height, bands, {}};
  for (std::uint32_t i = 0; i < width * height; ++i) {
    const bool is_left = i % width < width / 2;
    if (bands == 1) {
      b.pixels.push_back(is_left ? 200 : 20);
      continue;
    }
    for (const int value : {is_left ? 250 : 0, 0, is_left ? 0 : 250}) {
      b.pixels.push_back(static_cast<std::uint8_t>(value));
    }
  }
  return b;
}

std::vector<std::byte> jpeg(const Bitmap& b) {
  return CHECK_OK(write_jpeg(b, 90));
}

std::vector<std::byte> with_segment(const std::vector<std::byte>& jpeg, unsigned marker, const std::string& data) {
  std::string head{'\xff', static_cast<char>(marker), static_cast<char>((data.size() + 2) >> 8),
                   static_cast<char>((data.size() + 2) & 0xff)};
  head += data;
  std::vector<std::byte> out(jpeg.begin(), jpeg.begin() + 2);
  const auto more = std::as_bytes(std::span(head));
  out.insert(out.end(), more.begin(), more.end());
  out.insert(out.end(), jpeg.begin() + 2, jpeg.end());
  return out;
}

std::string exif(char orientation) {
  std::string out("Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0", 24);
  out += orientation;
  return out + std::string(7, '\0');
}

int value_at(const Bitmap& b, std::uint32_t x, std::uint32_t y, unsigned band) {
  return b.pixels[(std::size_t{y} * b.width + x) * b.bands + band];
}

}  // namespace

static void what_is_written_is_read() {
  for (const unsigned bands : {1U, 3U}) {
    const Bitmap before = halves(64, 32, bands);
    const auto bytes = jpeg(before);
    const JpegHead head = CHECK_OK(read_jpeg_head(bytes));
    CHECK(head.width == 64 && head.height == 32 && head.orientation == 1 && head.is_plain);
    CHECK(!head.has_many_scans && head.profile.empty());
    const Bitmap after = CHECK_OK(read_jpeg(bytes, JpegShrink::kNone));
    CHECK(after.width == 64 && after.height == 32 && after.bands == bands);
    CHECK_EQ(after.pixels.size(), before.pixels.size());
    for (const std::uint32_t x : {2U, 60U}) {
      CHECK(std::abs(value_at(after, x, 10, 0) - value_at(before, x, 10, 0)) < 12);
    }
  }
}

static void it_is_read_smaller_and_sides_are_rounded_up() {
  const auto bytes = jpeg(halves(801, 399));
  const Bitmap small = CHECK_OK(read_jpeg(bytes, JpegShrink::kEighth));
  CHECK(small.width == 101 && small.height == 50);
  CHECK(value_at(small, 5, 5, 0) > 200 && value_at(small, 95, 5, 2) > 200);
  CHECK_EQ(CHECK_OK(read_jpeg(bytes, JpegShrink::kHalf)).width, 401u);
}

static void orientation_and_profile_are_told() {
  const auto plain = jpeg(halves(16, 16));
  for (char turn = 1; turn <= 8; ++turn) {
    CHECK_EQ(CHECK_OK(read_jpeg_head(with_segment(plain, 0xe1, exif(turn)))).orientation, turn);
  }
  for (const char nonsense : {char{0}, char{9}}) {
    CHECK_EQ(CHECK_OK(read_jpeg_head(with_segment(plain, 0xe1, exif(nonsense)))).orientation, 1);
  }
  CHECK_EQ(CHECK_OK(read_jpeg_head(with_segment(plain, 0xe1, "Exif"))).orientation, 1);
  const std::string profile(300, 'p');
  const auto coloured = with_segment(plain, 0xe2, std::string("ICC_PROFILE\0\x01\x01", 14) + profile);
  const JpegHead head = CHECK_OK(read_jpeg_head(coloured));
  CHECK_EQ(head.profile.size(), profile.size());
  // one that says it has two parts, of which there is one
  const auto half = with_segment(plain, 0xe2, std::string("ICC_PROFILE\0\x01\x02", 14) + profile);
  CHECK(CHECK_OK(read_jpeg_head(half)).profile.empty());
}

static void what_was_cut_off_is_refused() {
  const auto whole = jpeg(halves(200, 200));
  for (std::size_t size = 0; size + 2 < whole.size(); size += 7) {
    const auto bytes = std::span(whole).first(size);
    CHECK_ERR(read_jpeg(bytes, JpegShrink::kEighth), Errc::kUndecodable);
  }
}

static void no_byte_that_is_changed_does_more_than_spoil_the_picture() {
  const auto whole = jpeg(halves(48, 48));
  for (std::size_t i = 0; i < whole.size(); ++i) {
    auto bytes = whole;
    bytes[i] ^= std::byte{0x5a};
    const auto head = read_jpeg_head(bytes);
    if (!head || head->width > 1000 || head->height > 1000 || !head->is_plain) continue;
    const auto made = read_jpeg(bytes, JpegShrink::kHalf);
    if (made) CHECK_EQ(made->pixels.size(), std::size_t{made->width} * made->height * made->bands);
  }
}

int main() {
  const CMUnitTest tests[] = {
      CASE(what_is_written_is_read),
      CASE(it_is_read_smaller_and_sides_are_rounded_up),
      CASE(orientation_and_profile_are_told),
      CASE(what_was_cut_off_is_refused),
      CASE(no_byte_that_is_changed_does_more_than_spoil_the_picture),
  };
  return cmocka_run_group_tests_name("imaging_jpeg", tests, nullptr, nullptr);
}

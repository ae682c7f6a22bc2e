// strip_png_test.cc — chunks of PNG and of WebP, with the checksums that PNG wants.
#include <string>

#include "base/limits.h"
#include "fake/pictures.h"

using namespace cloakroom;
using namespace std::string_literals;
using fake::png;
using fake::png_chunk;
using fake::riff_chunk;
using fake::strip;
using fake::webp;

namespace {

// Every chunk has the checksum of its bytes.
void check_checksums(const std::string& file) {
  std::size_t at = 8;
  while (at + 12 <= file.size()) {
    std::size_t size = 0;
    for (std::size_t i = 0; i < 4; ++i) size = size << 8 | static_cast<unsigned char>(file[at + i]);
    CHECK_EQ(file.substr(at + 8 + size, 4), fake::number(fake::crc(file.substr(at + 4, 4 + size)), 4));
    at += 12 + size;
  }
  CHECK_EQ(at, file.size());
}

std::string blank(std::size_t size) {
  std::string data = "Comment\0"s + std::string(size, ' ');
  data.resize(size);
  return png_chunk("tEXt", data);
}

}  // namespace

static void png_exif_and_xmp_lose_their_secrets() {
  const std::string kept =
      png_chunk("iCCP", "x\0\0profile"s) + png_chunk("tEXt", "Title\0Kept"s) + png_chunk("prVt", "?");
  const std::string file = png(kept + png_chunk("eXIf", fake::secret_exif(true)) +
                               png_chunk("iTXt", "XML:com.adobe.xmp\0\0\0\0\0"s + fake::secret_xmp()));
  const auto after = strip(file);
  CHECK(fake::has_secret(file) && !fake::has_secret(after.bytes));
  CHECK_EQ(after.unread, "");
  check_checksums(file);
  check_checksums(after.bytes);
  for (const char* word : {"Acme", "A title", "pixels"}) CHECK(after.bytes.find(word) != std::string::npos);
  CHECK(after.bytes.find(kept) != std::string::npos);
}

static void png_texts_that_cannot_be_edited_become_spaces() {
  const std::string secret = "SERIAL-SECRET";
  for (const auto& [type, data] : {std::pair{"tEXt"s, "exif:GPSLatitude\0"s},
                                   {"iTXt"s, "Serial Number\0\0\0\0\0"s},
                                   {"zTXt"s, "Raw profile type exif\0\0"s},
                                   {"tEXt"s, "Raw profile type APP1\0"s},
                                   {"iTXt"s, "XML:com.adobe.xmp\0\1\0\0\0"s},
                                   {"tEXt"s, "XML:com.adobe.xmp\0"s},
                                   {"iTXt"s, "XML:com.adobe.xmp\0"s},
                                   {"iTXt"s, "XML:com.adobe.xmp\0\0\0"s},
                                   {"zxIf"s, ""s}}) {
    CHECK_EQ(strip(png(png_chunk(type, data + secret))).bytes, png(blank(data.size() + secret.size())));
  }
  CHECK_EQ(strip(png(png_chunk("zTXt", "Raw profile type icc\0\0colours"s))).patches, 0u);
  CHECK_EQ(strip(png(png_chunk("caBX", "c2pa GPSLatitude"))).bytes, png(blank(16)));
  CHECK_EQ(strip(png(png_chunk("caBX", "c2pa dc:title"))).patches, 0u);
  CHECK_EQ(strip(png(png_chunk("tEXt", "GPS"))).bytes, png(png_chunk("tEXt", "Com")));
}

static void png_of_too_large_blocks_keeps_none_of_them() {
  const std::string large(limits::kStripBlockBytes + 1, 'x');
  const std::string exif = fake::secret_exif(false) + large, xmp = "XML:com.adobe.xmp\0\0\0\0\0"s + large;
  CHECK_EQ(strip(png(png_chunk("eXIf", exif))).bytes, png(blank(exif.size())));
  CHECK_EQ(strip(png(png_chunk("iTXt", xmp))).bytes, png(blank(xmp.size())));
}

static void png_all_keeps_what_a_viewer_needs() {
  const std::string needed =
      png_chunk("iCCP", "x\0\0profile"s) + png_chunk("gAMA", "1234") + png_chunk("acTL", "12345678");
  const std::string gone = png_chunk("tEXt", "Title\0Gone"s) + png_chunk("tIME", "1234567") + png_chunk("prVt", "?");
  const std::string file = png(needed + gone + png_chunk("eXIf", fake::secret_exif(true))) + "behind";
  const auto after = strip(file, StripMode::kAll);
  CHECK(after.bytes.find(needed + blank(10) + blank(7) + blank(1)) != std::string::npos);
  CHECK(after.bytes.ends_with(std::string(6, '\0')));
  check_checksums(after.bytes.substr(0, after.bytes.size() - 6));
  CHECK(after.bytes.find("MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\6"s) != std::string::npos);
}

static void png_without_a_chunk_where_one_should_be_is_not_read_to_its_end() {
  CHECK(!strip(png("????????????????")).unread.empty());
  CHECK_EQ(strip(png("") + "behind is anything").unread, "");
  CHECK(!fake::has_secret(
      strip(png("") + fake::jpeg(fake::jpeg_segment(0xE1, fake::kJpegExif + fake::secret_exif(true)))).bytes));
}

static void png_cut_at_any_byte_leaves_no_secret() {
  const std::string file = png(png_chunk("eXIf", fake::secret_exif(true)) +
                               png_chunk("iTXt", "XML:com.adobe.xmp\0\0\0\0\0"s + fake::secret_xmp()) +
                               png_chunk("tEXt", "GPSPosition\0LATITUDE-SECRET-24-BYTES"s));
  // of a keyword that is cut nobody can tell what it was to be
  for (const StripMode mode : {StripMode::kGps, StripMode::kAll}) fake::check_cut_anywhere(file, mode);
}

static void webp_exif_and_xmp_lose_their_secrets() {
  for (const std::string& prefix : {""s, "Exif\0\0"s}) {
    const std::string kept = riff_chunk("ICCP", "profile") + riff_chunk("ODD ", "kept");
    const std::string file =
        webp(kept + riff_chunk("EXIF", prefix + fake::secret_exif(false)) + riff_chunk("XMP ", fake::secret_xmp()));
    const auto after = strip(file);
    CHECK(fake::has_secret(file) && !fake::has_secret(after.bytes));
    CHECK_EQ(after.patches, 2u);
    for (const char* word : {"Acme", "A title", "pixels"}) CHECK(after.bytes.find(word) != std::string::npos);
    CHECK(after.bytes.find(kept) != std::string::npos);
    const auto all = strip(file + "behind", StripMode::kAll);
    for (const char* word : {"Acme", "A title", "kept", "behind"}) CHECK(all.bytes.find(word) == std::string::npos);
    CHECK(all.bytes.find(prefix + "II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0"s) != std::string::npos);
    for (const StripMode mode : {StripMode::kGps, StripMode::kAll}) fake::check_cut_anywhere(file, mode);
  }
}

static void webp_blocks_that_are_too_large_keep_the_orientation_alone() {
  const std::string large(limits::kStripBlockBytes + 1, 'x');
  const auto after = strip(webp(riff_chunk("EXIF", fake::secret_exif(true, 3) + large) + riff_chunk("XMP ", large)));
  CHECK_EQ(after.unread, "");
  CHECK(after.bytes.find("MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\3"s) != std::string::npos);
  CHECK(!fake::has_secret(after.bytes) && after.bytes.find('x', after.bytes.find("XMP ") + 100) == std::string::npos);
}

int main() {
  const CMUnitTest tests[] = {
      CASE(png_exif_and_xmp_lose_their_secrets),
      CASE(png_texts_that_cannot_be_edited_become_spaces),
      CASE(png_of_too_large_blocks_keeps_none_of_them),
      CASE(png_all_keeps_what_a_viewer_needs),
      CASE(png_without_a_chunk_where_one_should_be_is_not_read_to_its_end),
      CASE(png_cut_at_any_byte_leaves_no_secret),
      CASE(webp_exif_and_xmp_lose_their_secrets),
      CASE(webp_blocks_that_are_too_large_keep_the_orientation_alone),
  };
  return RUN_TESTS("strip_png", tests);
}

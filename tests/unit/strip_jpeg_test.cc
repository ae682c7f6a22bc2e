// strip_jpeg_test.cc — segments that are kept, that are rewritten and that go; what lies behind the picture.
#include <string>

#include "base/limits.h"
#include "fake/pictures.h"

using namespace cloakroom;
using namespace std::string_literals;
using fake::jpeg;
using fake::jpeg_segment;
using fake::kJpegExif;
using fake::kJpegXmp;
using fake::strip;

namespace {

const std::string kJfif = jpeg_segment(0xE0, "JFIF\0\1\1\0\0\1\0\1\0\0"s);
const std::string kIcc = jpeg_segment(0xE2, "ICC_PROFILE\0\1\1profile"s);
const std::string kAdobe = jpeg_segment(0xEE, "Adobe\0d\0\0\0\0\1"s);
const std::string kExif = jpeg_segment(0xE1, kJpegExif + fake::secret_exif(false));
const std::string kXmp = jpeg_segment(0xE1, kJpegXmp + fake::secret_xmp());

std::string zeros_in(unsigned char code, std::size_t size) {
  return jpeg_segment(code, std::string(size, '\0'));
}

}  // namespace

static void exif_and_xmp_lose_their_secrets_and_nothing_else_changes() {
  const std::string table = jpeg_segment(0xDB, "a quantisation table");
  const std::string file = jpeg(kJfif + kExif + kXmp + kIcc + kAdobe + table + jpeg_segment(0xFE, "a comment"));
  const auto after = strip(file);
  CHECK(fake::has_secret(file) && !fake::has_secret(after.bytes));
  CHECK_EQ(after.unread, "");
  CHECK_EQ(after.patches, 2u);
  CHECK(after.bytes.find("Acme") != std::string::npos && after.bytes.find("A title") != std::string::npos);
  const std::size_t kept = file.find(kIcc);
  CHECK_EQ(after.bytes.substr(kept), file.substr(kept));
  CHECK_EQ(after.bytes.substr(0, 2 + kJfif.size() + 4), file.substr(0, 2 + kJfif.size() + 4));
}

static void a_picture_without_secrets_is_not_touched() {
  CHECK_EQ(strip(jpeg(kJfif + kIcc + kAdobe + jpeg_segment(0xFE, "comment"))).patches, 0u);
  CHECK_EQ(strip("").patches, 0u);
  CHECK_EQ(strip("just text, SERIAL-SECRET").patches, 0u);
}

static void segments_of_makers_go() {
  const std::string payload = "FLIR\0SERIAL-SECRET"s;
  for (const char code : "\xE0\xE1\xE2\xE3\xE5\xE7\xEA\xEC\xED\xEF"s) {
    const auto number = static_cast<unsigned char>(code);
    CHECK_EQ(strip(jpeg(jpeg_segment(number, payload))).bytes, jpeg(zeros_in(number, payload.size())));
  }
  const std::string extended = "http://ns.adobe.com/xmp/extension/\0SERIAL-SECRET"s;
  CHECK_EQ(strip(jpeg(jpeg_segment(0xE1, extended))).bytes, jpeg(zeros_in(0xE1, extended.size())));
  CHECK_EQ(strip(jpeg(jpeg_segment(0xE1, "Exif\0"s))).bytes, jpeg(zeros_in(0xE1, 5)));
}

static void segments_that_pictures_need_stay() {
  for (const std::string& kept :
       {jpeg_segment(0xE0, "JFXX\0thumbnail"s), jpeg_segment(0xE2, "MPF\0table"s), jpeg_segment(0xEB, "JPxt"),
        jpeg_segment(0xEC, "Ducky\0\1"s), jpeg_segment(0xE8, "SPIFF\0\1"s), jpeg_segment(0xFE, "text")}) {
    CHECK_EQ(strip(jpeg(kept)).patches, 0u);
  }
}

static void provenance_stays_unless_it_names_a_place_or_a_device() {
  const std::string head = "JP\0\1\0\0\0\1\0\1\0\0jumb"s;
  const auto split = [&head](std::string_view name) {  // over the border of two segments
    return jpeg_segment(0xEB, head + "c2pa and more " + std::string(name.substr(0, 3))) +
           jpeg_segment(0xEB, head + std::string(name.substr(3)) + ": 52.5");
  };
  CHECK_EQ(strip(jpeg(split("dc:title"))).patches, 0u);
  for (const char* name : {"GPSLatitude", "exif:GPSLongitude", "exifEX:BodySerialNumber", "CameraOwnerName"}) {
    const std::string after = strip(jpeg(split(name) + kJfif)).bytes;
    CHECK(after.find("c2pa") == std::string::npos && after.find("52.5") == std::string::npos);
    CHECK(after.find(kJfif) != std::string::npos);
  }
}

static void too_long_a_manifest_is_not_read_to_its_end() {
  std::string segments;
  for (std::size_t i = 0; i < limits::kManifestSegments; ++i) segments += jpeg_segment(0xEB, "JP");
  CHECK_EQ(strip(jpeg(segments)).unread, "");
  CHECK(!strip(jpeg(segments + jpeg_segment(0xEB, "JP"))).unread.empty());
}

static void photoshop_keeps_iptc_but_not_exif() {
  const std::string resources = "Photoshop 3.0\0"s + fake::resource(0x0404, "IPTC") +
                                fake::resource(0x0422, fake::secret_exif(true)) +
                                fake::resource(0x0424, fake::secret_xmp()) + fake::resource(0x0405, "\2ab");
  const auto after = strip(jpeg(jpeg_segment(0xED, resources)));
  CHECK(!fake::has_secret(after.bytes));
  CHECK(after.bytes.find("IPTC") != std::string::npos && after.bytes.find("Acme") != std::string::npos &&
        after.bytes.find("A title") != std::string::npos && after.bytes.find("\2ab") != std::string::npos);
  // from where it is broken nobody knows what it is
  const auto broken =
      strip(jpeg(jpeg_segment(0xED, "Photoshop 3.0\0"s + "8BIM\x04\x04\0\0\0\0\xFF\xFFSERIAL-SECRET"s)));
  CHECK(!fake::has_secret(broken.bytes));
  CHECK(!fake::has_secret(strip(jpeg(jpeg_segment(0xED, "Photoshop 3.0\0SERIAL-SECRET"s))).bytes));
}

static void segments_between_and_behind_scans_are_found() {
  const std::string file = "\xFF\xD8" + jpeg_segment(0xDA, "scan") + "pixels\xFF\x00\xFF\xD3pixels"s + kExif +
                           jpeg_segment(0xDA, "scan") + "pix\xFF\xFF\xFF"s + kXmp.substr(1) + "\xFF\xD9";
  const auto after = strip(file);
  CHECK(!fake::has_secret(after.bytes));
  CHECK_EQ(after.bytes.substr(0, 32), file.substr(0, 32));
}

static void garbage_between_segments_does_not_hide_the_next_one() {
  const std::string file = "\xFF\xD8\xFF\xE0\0\4ab"s + "garbage" + kExif + "\xFF\xE3\0\1"s + kXmp + "\xFF\xD9";
  CHECK(!fake::has_secret(strip(file).bytes));
}

static void markers_are_found_where_the_window_ends() {
  for (std::size_t before = limits::kStripWindowBytes - 80; before < limits::kStripWindowBytes + 20; ++before) {
    const std::string file = "\xFF\xD8" + jpeg_segment(0xDA, "scan") + std::string(before, 'x') + kExif + "\xFF\xD9";
    CHECK(!fake::has_secret(strip(file).bytes));
    const std::string behind = jpeg("") + std::string(before, 'x') + jpeg(kExif);
    CHECK(!fake::has_secret(strip(behind).bytes));
    const std::string full = "\xFF\xD8" + jpeg_segment(0xDA, "s") + std::string(before, '\xFF') + kExif.substr(1);
    CHECK(!fake::has_secret(strip(full).bytes));
  }
}

static void pictures_behind_the_picture_are_stripped_too() {
  const std::string second = jpeg(kJfif + kExif), between = "some bytes \xFF\xD8\xFF of a trailer"s;
  const auto after = strip(jpeg(kExif) + second + between + second + "rest");
  CHECK(!fake::has_secret(after.bytes));
  CHECK(after.bytes.ends_with("rest") && after.bytes.find(between) != std::string::npos);
  CHECK_EQ(after.unread, "");
}

static void an_archive_behind_the_picture_is_not_taken_for_pictures() {
  std::string archive(limits::kStripWindowBytes, 'x');
  for (std::size_t at = 0; at + 200 < archive.size(); at += 100) {
    archive.replace(at, 20, "\xFF\xD8\xFF\xE1\0\x08\0\0\0\0\0\0\xFF\xE5\0\x04\xFF\xE1\xFF\xFF"s);
  }
  CHECK_EQ(strip(jpeg(kJfif) + archive).patches, 0u);
}

static void a_film_behind_the_picture_loses_its_user_data() {
  const std::string film =
      fake::box("ftyp", "mp42") + fake::box("mdat", "frames") +
      fake::box("moov", fake::box("mvhd", "times") +
                            fake::box("udta", fake::box("\xA9xyz", "LATITUDE-SECRET-24-BYTES")) +
                            fake::box("trak", fake::box("tkhd", "size") + fake::box("meta", "SERIAL-SECRET")));
  const auto after = strip(jpeg(kJfif) + film + jpeg(kExif));
  CHECK(!fake::has_secret(after.bytes));
  CHECK_EQ(after.unread, "");
  CHECK(after.bytes.find("frames") != std::string::npos && after.bytes.find("mvhd") != std::string::npos &&
        after.bytes.find("tkhdsize") != std::string::npos && after.bytes.find("free") != std::string::npos);
}

static void too_many_pictures_are_not_read_to_the_end() {
  std::string file = jpeg("");
  for (std::size_t i = 0; i < limits::kStripPictures; ++i) file += jpeg("");
  CHECK_EQ(strip(file).unread, "");
  CHECK(!strip(file + jpeg("")).unread.empty());
}

static void what_would_take_too_many_patches_is_not_read_to_the_end() {
  std::string segments, many;
  for (int i = 0; i < 1200; ++i) many += "<a GPSx='1' b='1' GPSx=''/>";
  const std::string segment = jpeg_segment(0xE1, kJpegXmp + many);
  for (std::size_t size = 0; size <= limits::kStripPatchBytes; size += segment.size()) segments += segment;
  CHECK_EQ(strip(jpeg(segment)).unread, "");
  CHECK_EQ(strip(jpeg(segments + segment)).unread, "it has too much to take out");
}

static void all_keeps_what_a_viewer_needs() {
  const std::string needed = kJfif + kIcc + kAdobe, table = jpeg_segment(0xDB, "table");
  const std::string gone = jpeg_segment(0xFE, "comment") + jpeg_segment(0xED, "Photoshop 3.0\0x"s) +
                           jpeg_segment(0xE2, "MPF\0table"s) + jpeg_segment(0xEB, "JPxt");
  const auto after = strip(jpeg(needed + kExif + kXmp + gone + table) + "behind" + jpeg(kExif), StripMode::kAll);
  for (const std::string& kept : {needed, table}) CHECK(after.bytes.find(kept) != std::string::npos);
  for (const char* word : {"comment", "Photoshop", "MPF", "JPxt", "behind", "Acme", "A title"}) {
    if (after.bytes.find(word) != std::string::npos) t::raise(__FILE__, __LINE__, word);
  }
  CHECK(!fake::has_secret(after.bytes));
  CHECK(after.bytes.find("Exif\0\0II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0"s) != std::string::npos);
  const std::size_t end = jpeg(needed + kExif + kXmp + gone + table).size();
  CHECK(after.bytes.find_first_not_of('\0', end) == std::string::npos);
}

static void cut_at_any_byte_no_secret_is_left() {
  const std::string file =
      jpeg(kJfif + kExif + kXmp + jpeg_segment(0xED, "Photoshop 3.0\0SERIAL-SECRET"s)) + jpeg(kExif);
  for (const StripMode mode : {StripMode::kGps, StripMode::kAll}) fake::check_cut_anywhere(file, mode);
}

int main() {
  const CMUnitTest tests[] = {
      CASE(exif_and_xmp_lose_their_secrets_and_nothing_else_changes),
      CASE(a_picture_without_secrets_is_not_touched),
      CASE(segments_of_makers_go),
      CASE(segments_that_pictures_need_stay),
      CASE(provenance_stays_unless_it_names_a_place_or_a_device),
      CASE(too_long_a_manifest_is_not_read_to_its_end),
      CASE(photoshop_keeps_iptc_but_not_exif),
      CASE(segments_between_and_behind_scans_are_found),
      CASE(garbage_between_segments_does_not_hide_the_next_one),
      CASE(markers_are_found_where_the_window_ends),
      CASE(pictures_behind_the_picture_are_stripped_too),
      CASE(an_archive_behind_the_picture_is_not_taken_for_pictures),
      CASE(a_film_behind_the_picture_loses_its_user_data),
      CASE(too_many_pictures_are_not_read_to_the_end),
      CASE(what_would_take_too_many_patches_is_not_read_to_the_end),
      CASE(all_keeps_what_a_viewer_needs),
      CASE(cut_at_any_byte_no_secret_is_left),
  };
  return RUN_TESTS("strip_jpeg", tests);
}

// strip_exif_test.cc — what is kept of Exif stays where it was; what is not, and what hides between, becomes zeros.
#include "media/strip_exif.h"

#include <map>
#include <string>

#include "base/limits.h"
#include "fake/pictures.h"
#include "media/tiff.h"

using namespace cloakroom;
using namespace std::string_literals;
using fake::ExifMaker;

namespace {

// The entries of one folder by tag, with their bytes.
std::map<unsigned, std::string> entries_at(std::string_view exif, std::uint64_t folder) {
  const Tiff tiff(exif);
  std::map<unsigned, std::string> out;
  for (std::uint64_t i = 0; i < tiff.u16(folder); ++i) {
    const Tiff::Entry e = tiff.entry(folder + 2 + 12 * i);
    CHECK(tiff.has(e.at, e.size_bytes));
    out[e.tag] = tiff.bytes(e.at, e.size_bytes);
  }
  return out;
}
std::uint32_t long_at(std::string_view exif, std::uint64_t folder, unsigned tag) {
  return Tiff(entries_at(exif, folder).at(tag).insert(0, exif.substr(0, 4))).u32(4);
}
std::string gps(const std::string& exif) {
  std::string out = stripped_exif(exif, StripMode::kGps);
  CHECK_EQ(out.size(), exif.size());
  return out;
}

}  // namespace

static void positions_serials_owners_and_maker_notes_go_and_the_rest_stays_in_its_place() {
  for (const bool is_big : {false, true}) {
    const std::string before = fake::secret_exif(is_big);
    const std::string after = gps(before);
    CHECK(fake::has_secret(before) && !fake::has_secret(after));
    const std::uint64_t first = Tiff(before).u32(4);
    CHECK_EQ(Tiff(after).u32(4), first);
    const auto entries = entries_at(after, first);
    CHECK_EQ(entries.size(), 3u);
    CHECK_EQ(entries.at(0x010F), "Acme Incorporated"s + '\0');
    CHECK_EQ(Tiff(after).orientation(), 6);
    const auto exif = entries_at(after, long_at(after, first, 0x8769));
    CHECK_EQ(exif.size(), 1u);
    CHECK_EQ(exif.at(0x9003), "2026:11:21 10:00:00"s + '\0');
    CHECK_EQ(gps(after), after);
  }
}

static void all_leaves_the_orientation_alone() {
  for (const bool is_big : {false, true}) {
    const std::string after = stripped_exif(fake::secret_exif(is_big, 8), StripMode::kAll);
    CHECK_EQ(Tiff(after).orientation(), 8);
    CHECK_EQ(entries_at(after, 8).size(), 1u);
    CHECK(after.find_first_not_of('\0', 26) == std::string::npos);
    CHECK(!fake::has_secret(after) && after.find("Acme") == std::string::npos);
  }
}

static void without_an_orientation_it_is_the_usual_one() {
  ExifMaker m(true);
  m.folder({m.text(0x010F, "Acme Incorporated")});
  CHECK_EQ(Tiff(stripped_exif(m.bytes(), StripMode::kAll)).orientation(), 1);
  ExifMaker odd(true);
  odd.folder({odd.small(0x0112, 9)});
  CHECK_EQ(Tiff(stripped_exif(odd.bytes(), StripMode::kAll)).orientation(), 1);
}

static void what_is_no_tiff_goes_whole() {
  for (const std::string& bytes :
       {"SERIAL-SECRET is no TIFF header, it only looks long enough"s, "II+\0SERIAL-SECRET, and this is BigTIFF"s,
        "MM\0*\xFF\xFF\xFF\xFFSERIAL-SECRET........."s}) {
    CHECK(!fake::has_secret(gps(bytes)));
    CHECK_EQ(Tiff(gps(bytes)).orientation(), 1);
  }
  CHECK_EQ(gps("SERIAL-SECRET"), std::string(13, '\0'));
  CHECK_EQ(gps(""), "");
}

static void leftovers_between_the_folders_go() {
  ExifMaker m(false);
  m.raw("LATITUDE-SECRET-24-BYTES of an older edition");
  m.folder({m.text(0x010F, "Acme Incorporated")});
  m.raw("SERIAL-SECRET");
  const std::string after = gps(m.bytes());
  CHECK(!fake::has_secret(after));
  CHECK_EQ(entries_at(after, Tiff(after).u32(4)).size(), 1u);
}

static void folders_in_a_circle_end() {
  for (const bool is_big : {false, true}) {
    ExifMaker m(is_big);
    const std::uint32_t first = 8;
    m.folder({m.small(0x0112, 3), m.pointer(0x8769, first)}, first);
    const std::string after = gps(m.bytes());
    CHECK_EQ(entries_at(after, first).size(), 1u);
    CHECK_EQ(Tiff(after).orientation(), 3);
    CHECK_EQ(Tiff(after).u32(first + 2 + 12), 0u);  // and no next one
  }
}

static void more_folders_than_a_camera_writes_are_cut_off() {
  ExifMaker m(true);
  std::uint32_t next = 0;
  for (std::size_t i = 0; i < limits::kExifFolders + 10; ++i) next = m.folder({m.small(0x0112, 2)}, next);
  const std::string after = gps(m.bytes());
  std::size_t count = 0;
  for (std::uint32_t at = Tiff(after).u32(4); at != 0; at = Tiff(after).u32(at + 2 + 12)) ++count;
  CHECK_EQ(count, limits::kExifFolders);
}

static void entries_that_lead_nowhere_go() {
  ExifMaker m(true);
  m.folder({m.small(0x0112, 5),
            {0x010F, 2, 0xFFFFFFFF, m.n32(8)},
            {0x0110, 12, 0x20000000, m.n32(8)},
            {0x0131, 2, 100, m.n32(0xFFFFFFF0)},
            {0x0132, 99, 1, m.n32(1)},
            m.pointer(0x8769, 0xFFFFFFFF),
            m.pointer(0xA005, 7),
            {0x014A, 4, 17, m.n32(8)}});
  const std::string after = gps(m.bytes());
  CHECK_EQ(entries_at(after, 8).size(), 1u);
  CHECK_EQ(Tiff(after).orientation(), 5);
}

static void a_gps_folder_that_leads_nowhere_goes_with_what_it_reaches() {
  ExifMaker m(false);
  const auto folder = m.folder({{2, 5, 0x10000000, m.n32(20)}, {4, 5, 3, m.n32(0xFFFFFF00)}});
  m.folder({m.pointer(0x8825, folder), m.pointer(0x8825, 0xFFFFFFFF), m.small(0x0112, 7)});
  const std::string after = gps(m.bytes());
  CHECK_EQ(entries_at(after, Tiff(after).u32(4)).size(), 1u);
  CHECK(after.substr(8, Tiff(after).u32(4) - 8).find_first_not_of('\0') == std::string::npos);
}

static void bytes_of_a_secret_that_another_entry_claims_are_gone_all_the_same() {
  ExifMaker m(true);
  const auto value = m.raw("LATITUDE-SECRET-24-BYTES");
  const auto gps_folder = m.folder({{2, 5, 3, m.n32(value)}});
  m.folder({{0x010F, 2, 24, m.n32(value)}, m.pointer(0x8825, gps_folder)});
  std::string file = m.bytes();
  // the maker lays values of four bytes into the entry: that is what is wanted here
  CHECK(fake::has_secret(file) && !fake::has_secret(gps(file)));
}

static void entries_that_all_share_one_large_value_cost_no_more_than_a_few_copies() {
  ExifMaker m(true);
  const auto value = m.raw(std::string(50000, 'x'));
  std::vector<ExifMaker::Entry> entries;
  for (std::uint16_t i = 0; i < 1000; ++i) {
    entries.push_back({static_cast<std::uint16_t>(0x9000 + i), 7, 50000, m.n32(value)});
  }
  m.folder(entries);
  CHECK_EQ(gps(m.bytes()), bare_exif(m.bytes()));
}

static void a_thumbnail_stays_without_its_own_exif() {
  for (const bool is_big : {false, true}) {
    ExifMaker m(is_big);
    const std::string thumbnail = fake::jpeg(fake::jpeg_segment(0xE1, fake::kJpegExif + fake::secret_exif(!is_big, 1)));
    const auto at = m.raw(thumbnail);
    const auto second = m.folder({m.small(0x0103, 6), m.pointer(0x0201, at), m.pointer(0x0202, thumbnail.size())});
    m.folder({m.small(0x0112, 6)}, second);
    const std::string after = gps(m.bytes());
    CHECK(!fake::has_secret(after));
    CHECK_EQ(after.substr(at, thumbnail.size()), fake::strip(thumbnail).bytes);
    CHECK_EQ(entries_at(after, second).size(), 3u);
  }
}

static void a_thumbnail_in_strips_stays() {
  ExifMaker m(true);
  const auto one = m.raw("strip one"), two = m.raw("strip two!");
  const auto second = m.folder({{0x0111, 4, 2, m.n32(one) + m.n32(two)}, {0x0117, 3, 2, m.n16(9) + m.n16(10)}});
  m.folder({m.small(0x0112, 6)}, second);
  const std::string after = gps(m.bytes());
  CHECK(after.find("strip onestrip two!") == 8);
}

static void thumbnails_outside_of_the_block_and_within_themselves_go() {
  ExifMaker m(true);
  m.folder({m.pointer(0x0201, 8), m.pointer(0x0202, 100000), m.small(0x0112, 6)});
  CHECK_EQ(entries_at(gps(m.bytes()), 8).size(), 1u);
  std::string nested = "LATITUDE-SECRET-24-BYTES";
  for (int depth = 0; depth < 8; ++depth) {
    ExifMaker outer(true);
    const std::string thumbnail = fake::jpeg(fake::jpeg_segment(0xE1, fake::kJpegExif + nested));
    const auto at = outer.raw(thumbnail);
    outer.folder({outer.pointer(0x0201, at), outer.pointer(0x0202, thumbnail.size())});
    nested = outer.bytes();
  }
  CHECK(!fake::has_secret(gps(nested)));
}

static void xmp_and_photoshop_resources_within_are_stripped() {
  ExifMaker m(true);
  const std::string resources = fake::resource(0x0422, fake::secret_exif(true)) + fake::resource(0x0404, "IPTC");
  m.folder({m.blob(0x02BC, fake::secret_xmp()), m.blob(0x8649, resources)});
  const std::string after = gps(m.bytes());
  CHECK(!fake::has_secret(after));
  CHECK(after.find("A title") != std::string::npos && after.find("IPTC") != std::string::npos &&
        after.find("Acme") != std::string::npos);
}

static void cut_at_any_byte_it_keeps_its_length_and_no_secret() {
  for (const bool is_big : {false, true}) {
    const std::string whole = fake::secret_exif(is_big);
    for (std::size_t size = 0; size <= whole.size(); ++size) {
      const std::string after = gps(whole.substr(0, size));
      CHECK(!fake::has_secret(after));
      CHECK_EQ(gps(after), after);
    }
  }
}

int main() {
  const CMUnitTest tests[] = {
      CASE(positions_serials_owners_and_maker_notes_go_and_the_rest_stays_in_its_place),
      CASE(all_leaves_the_orientation_alone),
      CASE(without_an_orientation_it_is_the_usual_one),
      CASE(what_is_no_tiff_goes_whole),
      CASE(leftovers_between_the_folders_go),
      CASE(folders_in_a_circle_end),
      CASE(more_folders_than_a_camera_writes_are_cut_off),
      CASE(entries_that_lead_nowhere_go),
      CASE(a_gps_folder_that_leads_nowhere_goes_with_what_it_reaches),
      CASE(bytes_of_a_secret_that_another_entry_claims_are_gone_all_the_same),
      CASE(entries_that_all_share_one_large_value_cost_no_more_than_a_few_copies),
      CASE(a_thumbnail_stays_without_its_own_exif),
      CASE(a_thumbnail_in_strips_stays),
      CASE(thumbnails_outside_of_the_block_and_within_themselves_go),
      CASE(xmp_and_photoshop_resources_within_are_stripped),
      CASE(cut_at_any_byte_it_keeps_its_length_and_no_secret),
  };
  return RUN_TESTS("strip_exif", tests);
}

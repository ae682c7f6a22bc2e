// strip_heif_test.cc — items of HEIC and AVIF by all the ways in which they may lie in the file.
#include <string>

#include "base/limits.h"
#include "fake/pictures.h"

using namespace cloakroom;
using namespace std::string_literals;
using fake::box;
using fake::number;
using fake::strip;

namespace {

struct Item {
  unsigned id;
  std::string type, more;  // behind its name
  std::string data;
  unsigned method = 0;  // 0 in the file, 1 in idat
  unsigned pieces = 1;
};

std::string infe(const Item& item) {
  return box("infe", "\2\0\0\0"s + number(item.id, 2) + "\0\0"s + item.type + "name\0"s + item.more);
}

// With the bytes of items in mdat, behind a table that says where; `version` is that of iloc.
std::string heif(const std::vector<Item>& items, unsigned version = 1, const std::string& more = {}) {
  std::string kinds, idat;
  for (const Item& item : items) kinds += infe(item);
  const std::string iinf = box("iinf", "\0\0\0\0"s + number(items.size(), 2) + kinds);
  for (const Item& item : items) idat += item.method == 1 ? item.data : "";
  const auto file = [&](std::uint64_t mdat_at) {
    std::uint64_t in_idat = 0, in_mdat = mdat_at;
    std::string places = number(version, 1) + "\0\0\0\x44\0"s + number(items.size(), version == 2 ? 4 : 2);
    for (const Item& item : items) {
      places += number(item.id, version == 2 ? 4 : 2) + (version == 0 ? "" : number(item.method, 2)) + "\0\0"s;
      places += number(item.pieces, 2);
      std::uint64_t& at = item.method == 1 ? in_idat : in_mdat;
      for (unsigned n = 0; n < item.pieces; ++n) {
        const std::size_t whole = item.data.size() / item.pieces;
        const std::size_t size = n + 1 < item.pieces ? whole : item.data.size() - whole * (item.pieces - 1);
        places += number(at, 4) + number(size, 4);
        at += size;
      }
    }
    return box("ftyp", "heic\0\0\0\0mif1"s) +
           box("meta", "\0\0\0\0"s + box("hdlr", "pict") + iinf + box("iloc", places) + box("idat", idat)) + more;
  };
  std::string mdat;
  for (const Item& item : items) mdat += item.method == 0 ? item.data : "";
  return file(file(0).size() + 8) + box("mdat", mdat + "pixels");
}

const std::string kExif = "\0\0\0\6Exif\0\0"s + fake::secret_exif(true);
const std::string kXmpKind = "application/rdf+xml\0"s;

}  // namespace

static void exif_and_xmp_items_lose_their_secrets() {
  for (const unsigned version : {0U, 1U, 2U}) {
    for (const unsigned method : {0U, 1U}) {
      for (const unsigned pieces : {1U, 3U}) {
        if (version == 0 && method == 1) continue;
        const std::string file = heif({{1, "hvc1", "", "picture"},
                                       {2, "Exif", "", kExif, method, pieces},
                                       {3, "mime", kXmpKind, fake::secret_xmp(), method, pieces}},
                                      version);
        const auto after = strip(file);
        CHECK(fake::has_secret(file) && !fake::has_secret(after.bytes));
        CHECK_EQ(after.unread, "");
        for (const char* word : {"picture", "Acme", "A title", "pixels"})
          CHECK(after.bytes.find(word) != std::string::npos);
        const auto all = strip(file, StripMode::kAll);
        CHECK_EQ(all.unread, "");
        for (const char* word : {"Acme", "A title"}) CHECK(all.bytes.find(word) == std::string::npos);
        for (const char* word : {"picture", "pixels"}) CHECK(all.bytes.find(word) != std::string::npos);
      }
    }
  }
}

static void other_items_stay_unless_all_shall_go() {
  const std::string file = heif({{2, "mime", "text/plain\0"s, "some text"},
                                 {3, "uri ", "urn:x\0"s, "some data"},
                                 {4, "mime", "image/jpeg\0"s, "a picture"}});
  CHECK_EQ(strip(file).patches, 0u);
  const std::string all = strip(file, StripMode::kAll).bytes;
  CHECK(all.find("some text") == std::string::npos && all.find("some data") == std::string::npos);
  CHECK(all.find("a picture") != std::string::npos);
}

static void items_that_cannot_be_edited_go_whole() {
  for (const Item& item : {Item{2, "mime", kXmpKind + "deflate\0"s, "SERIAL-SECRET"},
                           {2, "Exif", "", "\0\1\0\0SERIAL-SECRET"s},
                           {2, "Exif", "", "\xFF\xFF\xFF\xFFSERIAL-SECRET"},
                           {2, "Exif", "", "\0\0\0\0SERIAL-SECRET"s},
                           {2, "Exif", "", kExif + std::string(limits::kStripBlockBytes, 'x')}}) {
    const auto after = strip(heif({item}));
    CHECK(!fake::has_secret(after.bytes));
    CHECK_EQ(after.unread, "");
  }
}

static void what_cannot_be_found_is_not_read_to_its_end() {
  const std::string file = heif({{2, "Exif", "", kExif}});
  const auto changed = [&file](std::string_view where, std::size_t at, std::string_view bytes) {
    std::string out = file;
    return out.replace(out.find(where) + at, bytes.size(), bytes);
  };
  for (const std::string& bad :
       {changed("iloc", 4, "\3"), changed("iloc", 8, "\xFF\xFF"), changed("iloc", 10, "\xFF\xFF"),
        changed("iloc", 0, "free"), changed("iloc", 14, "\0\2"s), changed("iloc", 20, "\xFF\xFF\xFF\xFF"),
        changed("iloc", 24, "\0\0\0\0"s), changed("iloc", 24, "\x7F\0\0\0"s),
        changed("infe", static_cast<std::size_t>(-4), "\xFF")}) {
    CHECK(!strip(bad).unread.empty());
  }
  CHECK_EQ(strip(file).unread, "");
}

static void what_can_be_read_beside_it_is_cleaned_all_the_same() {
  const std::string other(16, 'i');
  const std::string file = heif({{2, "Exif", "", "unreadable"}, {3, "Exif", "", kExif}}) +
                           box("uuid", other + "SERIAL-SECRET") + box("moov", box("udta", "OWNER-SECRET"));
  CHECK(!fake::has_secret(strip(file).bytes));
  const std::size_t first = file.find("iloc") + 12;  // its first item: number, method, file, count; offset, size
  const auto changed = [&](std::size_t at, std::string_view bytes) {
    std::string out = file;
    return out.replace(first + at, bytes.size(), bytes);
  };
  for (const std::string& bad :
       {changed(2, "\0\2"s), changed(8, "\x7F\xFF\xFF\xFF"), changed(12, "\0\0\0\0"s), changed(12, "\x7F\0\0\0"s)}) {
    const auto after = strip(bad);
    CHECK(!after.unread.empty() && !fake::has_secret(after.bytes));
    CHECK(after.bytes.find("unreadable") != std::string::npos);
  }
}

static void items_without_end_or_sharing_their_bytes_are_not_read_to_their_end() {
  std::vector<Item> many;
  for (unsigned i = 0; i <= limits::kHeifItems; ++i) many.push_back({i + 1, "uri ", "", "x"});
  CHECK(!strip(heif(many)).unread.empty());
  many.pop_back();
  CHECK_EQ(strip(heif(many)).unread, "");
  // an item in a thousand pieces, each of them the whole of it
  std::string file = heif({{2, "uri ", "", std::string(1000, 'x'), 0, 500}});
  const std::size_t at = file.find("iloc") + 20;
  for (std::size_t i = 0; i < 500; ++i) file.replace(at + 8 * i, 8, file.substr(at, 4) + number(1000, 4));
  CHECK_EQ(strip(file).unread, "its items share their bytes");
}

static void a_table_that_is_too_long_is_not_read() {
  const std::string padding(limits::kStripBlockBytes, '\0');
  const std::string file = box("ftyp", "heic\0\0\0\0mif1"s) + box("meta", "\0\0\0\0"s + box("hdlr", "pict") + padding);
  CHECK(!strip(file).unread.empty());
}

static void boxes_of_makers_and_free_space_are_cleared() {
  const std::string head = box("ftyp", "avif\0\0\0\0mif1"s), media = box("mdat", "pixels");
  const auto cleared = [](std::size_t size) { return box("free", std::string(size, '\0')); };
  const std::string id(16, 'i'), secret = "SERIAL-SECRET";
  CHECK_EQ(strip(head + box("uuid", id + secret) + media).bytes, head + cleared(29) + media);
  CHECK_EQ(strip(head + box("free", secret) + media).bytes, head + cleared(13) + media);
  const std::string xmp_id = "\xBE\x7A\xCF\xCB\x97\xA9\x42\xE8\x9C\x71\x99\x94\x91\xE3\xAF\xAC";
  const std::string xmp = strip(head + box("uuid", xmp_id + fake::secret_xmp()) + media).bytes;
  CHECK(!fake::has_secret(xmp) && xmp.find("A title") != std::string::npos);
  const std::string manifest_id = "\xD8\xFE\xC3\xD6\x1B\x0E\x48\x3C\x92\x97\x58\x28\x87\x7E\xC4\x81";
  const std::string far(limits::kStripWindowBytes - 20, 'x');
  CHECK_EQ(strip(head + box("uuid", manifest_id + "c2pa dc:title") + media).patches, 0u);
  CHECK_EQ(strip(head + box("uuid", manifest_id + far + "GPSLatitude") + media).bytes,
           head + cleared(16 + far.size() + 11) + media);
  CHECK_EQ(strip(head + box("odd ", "kept") + media).patches, 0u);
  CHECK_EQ(strip(head + box("odd ", "gone") + media, StripMode::kAll).bytes, head + cleared(4) + media);
}

static void films_within_the_picture_lose_their_user_data() {
  const std::string film =
      box("ftyp", "mp42") + box("moov", box("mvhd", "times") + box("udta", "LATITUDE-SECRET-24-BYTES"));
  const std::string file = heif({}) + box("mpvd", film);
  const auto after = strip(file);
  CHECK(!fake::has_secret(after.bytes) && after.bytes.find("mvhdtimes") != std::string::npos);
  CHECK(strip(file, StripMode::kAll).bytes.find("mvhd") == std::string::npos);
  std::string nested = "LATITUDE-SECRET-24-BYTES";
  nested = box("moov", box("udta", nested));
  for (int i = 0; i < 10; ++i) nested = box("mpvd", nested);
  CHECK(!fake::has_secret(strip(heif({}) + nested).bytes));
}

static void films_alone_are_not_looked_into() {
  CHECK_EQ(strip(box("ftyp", "mp42\0\0\0\0isom"s) + box("moov", box("udta", "SERIAL-SECRET"))).patches, 0u);
  CHECK(strip(box("ftyp", "mp42\0\0\0\0mif1"s) + box("moov", box("udta", "SERIAL-SECRET"))).patches > 0);
}

static void boxes_with_long_sizes_and_to_the_end_are_read() {
  const std::string head = box("ftyp", "avif\0\0\0\0mif1"s);
  const std::string content(16, 'i'), secret = "SERIAL-SECRET";
  const std::string wide = "\0\0\0\1"s + "uuid" + number(16 + 29, 8) + content + secret;
  CHECK(!fake::has_secret(strip(head + wide + box("mdat", "x")).bytes));
  CHECK(!fake::has_secret(strip(head + "\0\0\0\0uuid"s + content + secret).bytes));
  CHECK(!fake::has_secret(strip(head + "\0\0\0\7text"s + fake::jpeg(fake::jpeg_segment(0xE3, secret))).bytes));
}

static void cut_at_any_byte_no_secret_is_left() {
  const std::string file =
      heif({{1, "hvc1", "", "picture"}, {2, "Exif", "", kExif}, {3, "mime", kXmpKind, fake::secret_xmp(), 1, 2}});
  for (const StripMode mode : {StripMode::kGps, StripMode::kAll}) fake::check_cut_anywhere(file, mode);
}

int main() {
  const CMUnitTest tests[] = {
      CASE(exif_and_xmp_items_lose_their_secrets),
      CASE(other_items_stay_unless_all_shall_go),
      CASE(items_that_cannot_be_edited_go_whole),
      CASE(what_cannot_be_found_is_not_read_to_its_end),
      CASE(what_can_be_read_beside_it_is_cleaned_all_the_same),
      CASE(items_without_end_or_sharing_their_bytes_are_not_read_to_their_end),
      CASE(a_table_that_is_too_long_is_not_read),
      CASE(boxes_of_makers_and_free_space_are_cleared),
      CASE(films_within_the_picture_lose_their_user_data),
      CASE(films_alone_are_not_looked_into),
      CASE(boxes_with_long_sizes_and_to_the_end_are_read),
      CASE(cut_at_any_byte_no_secret_is_left),
  };
  return RUN_TESTS("strip_heif", tests);
}

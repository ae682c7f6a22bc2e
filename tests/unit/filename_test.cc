// filename_test.cc — names from outside become names that can be stored, shown and sent.
#include "domain/filename.h"

#include <random>
#include <string>

#include "base/encode.h"
#include "base/limits.h"
#include "check.h"

using namespace cloakroom;

namespace {

// The promise of filename.h, as far as one name can show it.
void check_promise(const std::string& name) {
  CHECK(!name.empty());
  CHECK(name.size() <= limits::kFilenameBytes);
  CHECK(is_utf8(name));
  CHECK(!has_control(name));
  CHECK(name.find_first_of("/\\") == std::string::npos);
  CHECK(name != "." && name != "..");
  for (const char* hidden : {"\xC2\x85", "\xD8\x9C", "\xE2\x80\x8E", "\xE2\x80\x8F", "\xE2\x80\xA8", "\xE2\x80\xAA",
                             "\xE2\x80\xAE", "\xE2\x81\xA6", "\xE2\x81\xA9", "\xEF\xBB\xBF"})
    CHECK(name.find(hidden) == std::string::npos);
  CHECK_EQ(clean_filename(name), name);
}

}  // namespace

static void a_name_that_fits_comes_back_unchanged() {
  for (const char* name : {"x.jpg",
                           "\xC3\x9C"
                           "berblick 1.jpg",
                           "a\"b'c%2F;d.txt", ".bashrc", "...", "no extension", "\xF0\x9F\x93\x8E.pdf", "a  b",
                           "C:", "50% off?.txt", "a:b"})
    CHECK_EQ(clean_filename(name), name);
  CHECK_EQ(clean_filename(std::string(255, 'x')), std::string(255, 'x'));
}

static void separators_become_underscores() {
  CHECK_EQ(clean_filename("\xC3\x9Cn\xC3\xAF \"q\" %2F ../x.jpg"), "\xC3\x9Cn\xC3\xAF \"q\" %2F .._x.jpg");
  CHECK_EQ(clean_filename("../../etc/passwd"), ".._.._etc_passwd");
  CHECK_EQ(clean_filename("/"), "_");
  CHECK_EQ(clean_filename("\\\\server\\share"), "__server_share");
}

static void a_windows_path_gives_its_last_part() {
  CHECK_EQ(clean_filename("C:\\Users\\me\\x.jpg"), "x.jpg");
  CHECK_EQ(clean_filename("d:\\x"), "x");
  CHECK_EQ(clean_filename("C:\\dir\\"), "file");
  CHECK_EQ(clean_filename("C:\\.."), "file");
}

static void names_that_mean_a_folder_or_nothing_become_file() {
  for (const char* name : {"", ".", "..", " ", "  ..  ", "\n", "\xE2\x80\xAE", ".\x01.", " \r\n "})
    CHECK_EQ(clean_filename(name), "file");
}

static void control_characters_vanish() {
  CHECK_EQ(clean_filename("a\r\nSet-Cookie: x=1\r\n.jpg"), "aSet-Cookie: x=1.jpg");
  CHECK_EQ(clean_filename(std::string_view("a\0b\x7f.jpg", 8)), "ab.jpg");
  CHECK_EQ(clean_filename("a\xC2\x85"
                          "b\xC2\x9F.jpg"),
           "ab.jpg");
  CHECK_EQ(clean_filename("a\xC2\xA0"
                          "b.jpg"),
           "a\xC2\xA0"
           "b.jpg");
}

static void characters_that_turn_the_reading_around_vanish() {
  CHECK_EQ(clean_filename("photo\xE2\x80\xAEgpj.exe"), "photogpj.exe");
  CHECK_EQ(clean_filename("\xE2\x81\xA6"
                          "a\xE2\x81\xA9\xE2\x80\x8F.txt"),
           "a.txt");
  CHECK_EQ(clean_filename("\xD8\x9C"
                          "a.txt"),
           "a.txt");
  CHECK_EQ(clean_filename("\xEF\xBB\xBF"
                          "a\xE2\x80\xA8"
                          "b"),
           "ab");
  CHECK_EQ(clean_filename("\xE2\x80\x99s"), "\xE2\x80\x99s");  // an apostrophe is none of them
}

static void ill_formed_bytes_become_underscores() {
  CHECK_EQ(clean_filename("a\xFF"
                          "b\xC3"),
           "a_b_");
  CHECK_EQ(clean_filename("\xE2\x80"
                          "a"),
           "__a");
  CHECK_EQ(clean_filename("\xC0\xAF"), "__");
  CHECK_EQ(clean_filename("\xED\xA0\x80.jpg"), "___.jpg");
}

static void a_long_name_is_cut_on_a_character_boundary_and_keeps_its_extension() {
  CHECK_EQ(clean_filename(std::string(300, 'x') + ".jpeg"), std::string(250, 'x') + ".jpeg");
  std::string umlauts;
  for (int i = 0; i < 200; ++i) umlauts += "\xC3\xBC";
  CHECK_EQ(clean_filename(umlauts + ".jpeg"), umlauts.substr(0, 250) + ".jpeg");
  CHECK_EQ(clean_filename(umlauts + ".jpg"), umlauts.substr(0, 250) + ".jpg");  // 251 would split the last one
  CHECK_EQ(clean_filename(umlauts), umlauts.substr(0, 254));
  const std::string long_ending = "." + std::string(60, 'e');
  CHECK_EQ(clean_filename(std::string(250, 'x') + long_ending), std::string(250, 'x') + ".eeee");
}

static void a_name_cut_at_a_space_does_not_end_in_it() {
  CHECK_EQ(clean_filename(std::string(254, 'x') + " tail"), std::string(254, 'x'));
  CHECK_EQ(clean_filename(std::string(300, 'x') + ".jpg" + std::string(40, ' ')), std::string(251, 'x') + ".jpg");
}

static void whatever_comes_the_promise_holds() {
  std::mt19937 random(20260131);  // the same names at each run
  const std::string spice[] = {"/",
                               "\\",
                               ".",
                               "..",
                               " ",
                               "\n",
                               "C:\\",
                               "\xC3\xBC",
                               "\xE2\x80\xAE",
                               "\xF0\x9F\x93\x8E",
                               "\xEF\xBB\xBF",
                               "\xC2\x85",
                               "\xD8\x9C",
                               ".jpg"};
  const auto below = [&random](std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(random); };
  for (int round = 0; round < 4000; ++round) {
    std::string raw;
    for (std::size_t pieces = below(round % 10 == 0 ? 400 : 12); pieces > 0; --pieces) {
      switch (below(3)) {
        case 0:
          raw += spice[below(std::size(spice))];
          break;
        case 1:
          raw += static_cast<char>(below(256));
          break;
        default:
          raw += static_cast<char>('a' + below(26));
      }
    }
    check_promise(clean_filename(raw));
  }
}

int main() {
  const CMUnitTest tests[] = {
      CASE(a_name_that_fits_comes_back_unchanged),
      CASE(separators_become_underscores),
      CASE(a_windows_path_gives_its_last_part),
      CASE(names_that_mean_a_folder_or_nothing_become_file),
      CASE(control_characters_vanish),
      CASE(characters_that_turn_the_reading_around_vanish),
      CASE(ill_formed_bytes_become_underscores),
      CASE(a_long_name_is_cut_on_a_character_boundary_and_keeps_its_extension),
      CASE(a_name_cut_at_a_space_does_not_end_in_it),
      CASE(whatever_comes_the_promise_holds),
  };
  return RUN_TESTS("filename", tests);
}

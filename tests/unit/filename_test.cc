// filename_test.cc — names from outside become names that can be stored, shown and sent.
#include "domain/filename.h"

#include <random>
#include <string>

#include "base/encode.h"
#include "base/limits.h"
#include "base/unicode.h"
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
  for (const char* hidden :
       {"\xC2\x85", "\xD8\x9C", "\xE2\x80\x8E", "\xE2\x80\x8F", "\xE2\x80\xA8", "\xE2\x80\xAA", "\xE2\x80\xAE",
        "\xE2\x81\xA6", "\xE2\x81\xA9", "\xEF\xBB\xBF", "\xE2\x80\x8B", "\xC2\xAD"})
    CHECK(name.find(hidden) == std::string::npos);
  CHECK_EQ(to_nfc(name), name);
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

static void what_leaves_no_trace_on_a_screen_vanishes() {
  CHECK_EQ(clean_filename("a\u200Bb\u2060c\u00ADd\u180Ee\u034Ff\u3164g\uFFA0h\u115Fi.exe"), "abcdefghi.exe");
  CHECK_EQ(clean_filename("a\uFFF9b\uFFFAc\uFFFBd\U000E0001e\U0001D173f\uFFFEg\uFDD0h"), "abcdefgh");
  CHECK_EQ(clean_filename("inv\u200Coice.e\u200Dxe\u200D"), "invoice.exe");  // joiners join nothing in ASCII
  CHECK_EQ(clean_filename("a\uFE0F\U000E0101.\uFE0Epng"), "a.png");
  CHECK_EQ(clean_filename("\u00FC\uFE0F\uFE0E\uFE0F\U000E0141.png"), "\u00FC\uFE0F.png");  // bytes hidden in selectors
  CHECK_EQ(clean_filename("a\U000E0067\U000E007F.png"), "a.png");
}

static void what_a_script_or_an_emoji_is_spelled_with_stays() {
  for (const char* name : {
           "\u0645\u06CC\u200C\u062E\u0648\u0627\u0647\u0645.pdf",                        // Persian, with a non-joiner
           "\u0915\u094D\u200D\u0937.txt",                                                // Devanagari, half form
           "\U0001F468\u200D\U0001F469\u200D\U0001F467.jpg",                              // a family
           "\u2764\uFE0F\u200D\U0001F525.png",                                            // a heart on fire
           "\U0001F3F4\U000E0067\U000E0062\U000E0073\U000E0063\U000E0074\U000E007F.svg",  // the flag of Scotland
           "1\uFE0F\u20E3.png",                                                           // a keycap
           "\u845B\U000E0101.txt",                                                        // a form of a kanji
           "\u0600\u0661\u0662.txt",                                                      // the Arabic number sign
           "\uE000 \U00010FFD.txt",                                                       // private use
           "Bildschirmfoto 9.41\u202FPM.png",                                             // macOS writes such a space
       })
    CHECK_EQ(clean_filename(name), name);
}

static void names_are_composed() {
  CHECK_EQ(clean_filename("U\u0308berblick.jpg"), "\u00DCberblick.jpg");  // as macOS sends it
  CHECK_EQ(clean_filename("\u1112\u1161\u11AB.txt"), "\uD55C.txt");
  CHECK_EQ(clean_filename("a\u0323\u0307"), clean_filename("a\u0307\u0323"));
  CHECK_EQ(clean_filename("e\u200B\u0301"), "\u00E9");        // what was hidden between them is gone first
  CHECK_EQ(clean_filename("\u212A\u200D\u00FC"), "K\u00FC");  // the kelvin sign becomes a K, which nothing joins
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

static void a_long_name_is_cut_where_a_reader_sees_the_end_of_a_character() {
  const std::string family = "\U0001F468\u200D\U0001F469\u200D\U0001F467";  // 18 bytes, one character
  std::string families;
  for (int i = 0; i < 20; ++i) families += family;
  CHECK_EQ(clean_filename(families + ".jpg"), families.substr(0, 13 * 18) + ".jpg");
  // one character of 300 bytes has no better place
  std::string accents = "x";
  for (int i = 0; i < 200; ++i) accents += "\u0323";
  const std::string cut = clean_filename(accents + ".jpg");
  CHECK(cut.size() <= limits::kFilenameBytes && cut.ends_with("\u0323.jpg"));
  std::string persian;
  for (int i = 0; i < 80; ++i) persian += "\u0645\u200C";
  check_promise(clean_filename(persian + "\u0645.pdf"));
}

static void a_name_of_a_megabyte_costs_no_more_than_a_long_one() {
  std::string accents;
  for (int i = 0; i < 500000; ++i) accents += i % 2 == 0 ? "\u0323" : "\u0307";
  const std::string name = clean_filename("a" + accents + ".jpeg");
  check_promise(name);
  CHECK(name.ends_with(".jpeg"));
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
                               "\u0308",
                               "\u200D",
                               "\uFE0F",
                               "\U0001F3F4",
                               "\U000E0067",
                               "\u20E3",
                               "\u212A",
                               "\u1161",
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
      CASE(what_leaves_no_trace_on_a_screen_vanishes),
      CASE(what_a_script_or_an_emoji_is_spelled_with_stays),
      CASE(names_are_composed),
      CASE(ill_formed_bytes_become_underscores),
      CASE(a_long_name_is_cut_on_a_character_boundary_and_keeps_its_extension),
      CASE(a_long_name_is_cut_where_a_reader_sees_the_end_of_a_character),
      CASE(a_name_of_a_megabyte_costs_no_more_than_a_long_one),
      CASE(a_name_cut_at_a_space_does_not_end_in_it),
      CASE(whatever_comes_the_promise_holds),
  };
  return RUN_TESTS("filename", tests);
}

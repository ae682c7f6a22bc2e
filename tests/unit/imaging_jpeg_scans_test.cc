// imaging_jpeg_scans_test.cc — scans are counted where a decoder finds them, and nowhere else.
#include "imaging/jpeg_scans.h"

#include <string>

#include "check.h"

using namespace cloakroom;  // NOLINT: a test

namespace {

std::string segment(char marker, const std::string& content) {
  const std::size_t size = content.size() + 2;
  return std::string("\xff") + marker + static_cast<char>(size >> 8) + static_cast<char>(size) + content;
}

const std::string kStart = "\xff\xd8", kEnd = "\xff\xd9";
// With a byte 0xff that is one of the picture, and a restart.
const std::string kScan = segment('\xda', "header") + std::string("p\xff\0\xff\xd0q", 6);

std::string scans(unsigned count) {
  std::string all;
  for (unsigned i = 0; i < count; ++i) all += kScan;
  return all;
}

bool has_more(const std::string& jpeg, unsigned most) {
  return has_more_scans(std::as_bytes(std::span(jpeg)), most);
}

// It has so many, no more and no less.
bool has(const std::string& jpeg, unsigned count) {
  return !has_more(jpeg, count) && (count == 0 || has_more(jpeg, count - 1));
}

}  // namespace

static void scans_are_counted() {
  for (const unsigned count : {0U, 1U, 10U, 101U}) {
    CHECK(has(kStart + segment('\xc2', "frame") + scans(count) + kEnd, count));
    CHECK(has(kStart + scans(count), count));  // cut off
  }
}

static void tables_between_scans_hide_none() {
  CHECK(has(kStart + scans(1) + segment('\xc4', "table") + scans(1) + segment('\xdd', "12") + scans(1) + kEnd, 3));
}

static void thumbnails_and_what_comes_after_the_end_have_none() {
  CHECK(has(kStart + segment('\xe1', kStart + scans(50) + kEnd) + scans(1) + kEnd, 1));
  CHECK(has(kStart + scans(1) + kEnd + scans(50), 1));
}

static void what_a_decoder_skips_hides_none() {
  CHECK(has(kStart + "garbage" + scans(1) + std::string("\xff\xff\xff\xff\xff\x01", 6) + "more" + scans(1), 2));
  CHECK(has(kStart + std::string("\xff\0\xff\xd8", 4) + scans(2), 2));
}

static void a_file_that_ends_anywhere_is_looked_at_no_further() {
  const std::string whole = kStart + segment('\xe0', "JFIF") + scans(3) + kEnd;
  for (std::size_t size = 0; size <= whole.size(); ++size) CHECK(!has_more(whole.substr(0, size), 3));
  CHECK(!has_more("\xff\xda\xff\xff", 1));
}

int main() {
  const CMUnitTest tests[] = {
      CASE(scans_are_counted),
      CASE(tables_between_scans_hide_none),
      CASE(thumbnails_and_what_comes_after_the_end_have_none),
      CASE(what_a_decoder_skips_hides_none),
      CASE(a_file_that_ends_anywhere_is_looked_at_no_further),
  };
  return RUN_TESTS("imaging_jpeg_scans", tests);
}

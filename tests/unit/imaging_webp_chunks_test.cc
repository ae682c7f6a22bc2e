// imaging_webp_chunks_test.cc — EXIF goes, all else stays as it is, and what is no WebP is not touched.
#include "imaging/webp_chunks.h"

#include "check.h"

using namespace cloakroom;  // NOLINT: a test

namespace {

std::string size(std::size_t n) {
  return {static_cast<char>(n), static_cast<char>(n >> 8), 0, 0};
}
std::string chunk(const std::string& name, const std::string& body) {
  return name + size(body.size()) + body + (body.size() % 2 == 1 ? std::string(1, '\0') : "");
}
std::string riff(const std::string& chunks) {
  return "RIFF" + size(chunks.size() + 4) + "WEBP" + chunks;
}
std::string extended(char flags) {
  return chunk("VP8X", flags + std::string(9, '\x05'));
}

const std::string kPixels = chunk("VP8 ", std::string(301, 'p'));
const std::string kExif = chunk("EXIF", "II*");

}  // namespace

static void exif_goes_and_with_it_a_head_that_announces_nothing_else() {
  CHECK_EQ(webp_without_exif(riff(extended(0x08) + kPixels + kExif)), riff(kPixels));
}

static void what_else_is_announced_stays() {
  const std::string frames = chunk("ANIM", "123456") + chunk("ANMF", "frame");
  CHECK_EQ(webp_without_exif(riff(extended(0x0a) + frames + kExif)), riff(extended(0x02) + frames));
  const std::string alpha = chunk("ALPH", "a") + kPixels;
  CHECK_EQ(webp_without_exif(riff(extended(0x18) + alpha + kExif)), riff(extended(0x10) + alpha));
  CHECK_EQ(webp_without_exif(riff(kPixels)), riff(kPixels));
}

static void what_is_no_webp_is_given_back() {
  const std::string whole = riff(extended(0x08) + kPixels + kExif);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const std::string cut = whole.substr(0, size);
    const std::string made = webp_without_exif(cut);
    // a cut between two chunks cannot be seen, but for the size in the head
    if (made != cut)
      CHECK(size == riff(extended(0x08)).size() || size == riff(extended(0x08) + kPixels).size() || size == 12);
  }
  CHECK_EQ(webp_without_exif("RIFF1234WAVE"), std::string("RIFF1234WAVE"));
  CHECK_EQ(webp_without_exif(riff("VP8 \xff\xff\xff\xff")), riff("VP8 \xff\xff\xff\xff"));
}

int main() {
  const CMUnitTest tests[] = {
      CASE(exif_goes_and_with_it_a_head_that_announces_nothing_else),
      CASE(what_else_is_announced_stays),
      CASE(what_is_no_webp_is_given_back),
  };
  return RUN_TESTS("imaging_webp_chunks", tests);
}

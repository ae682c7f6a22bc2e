// strip_cost_test.cc — files that are made to be read for ever are looked through a few times, and no more.
//
// Processor time is what is limited: before there were bounds each of these took half a minute or days.
#include <sys/mman.h>
#include <unistd.h>

#include <ctime>
#include <string>

#include "base/limits.h"
#include "check.h"
#include "fake/pictures.h"
#include "media/strip.h"

using namespace cloakroom;
using namespace std::string_literals;

namespace {

constexpr double kMostSeconds = 5;  // also under sanitizers

std::string repeated(std::string_view text, std::size_t bytes) {
  std::string out;
  while (out.size() < bytes) out += text;
  return out;
}

StripPlan plan_in_time(const std::string& bytes) {
  const UniqueFd file(::memfd_create("picture", MFD_CLOEXEC));
  CHECK_OK(write_all(file.get(), std::as_bytes(std::span(bytes))));
  const std::clock_t begin = std::clock();
  StripPlan plan = CHECK_OK(PictureStripper(StripMode::kGps).plan({file.get(), 0, bytes.size(), {}}));
  const double took = static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
  if (took > kMostSeconds) std::fprintf(stderr, "took %.1f s\n", took);
  CHECK(took <= kMostSeconds);
  return plan;
}

}  // namespace

static void markers_alone() {
  plan_in_time("\xFF\xD8\xFF" + repeated("\x01\xFF", 8 << 20));
  plan_in_time("\xFF\xD8" + repeated("\xFF\xE0\0\2"s, 8 << 20));
}

static void pictures_that_seem_to_begin_behind_a_picture() {
  plan_in_time(fake::jpeg("") + repeated("\xFF\xD8\xFF", 8 << 20));
}

static void a_count_of_places_that_are_not_there() {
  const std::string items = "\0\0\0\0\0\1\0\0\0\x15infe\2\0\0\0\0\2\0\0Exif\0"s;
  const std::string places = "\2\0\0\0\x44\0\xFF\xFF\xFF\xFF"s;
  const auto box = [](std::string_view type, const std::string& content) {
    const auto size = static_cast<std::uint32_t>(content.size() + 8);
    std::string out;
    for (const int shift : {24, 16, 8, 0}) out += static_cast<char>(size >> shift & 255);
    return out + std::string(type) + content;
  };
  const std::string meta = box("meta", "\0\0\0\0"s + box("iinf", items) + box("iloc", places));
  CHECK(!plan_in_time(box("ftyp", "heic\0\0\0\0mif1"s) + meta).unread.empty());
}

static void tables_by_the_thousand_that_lead_to_the_same_bytes() {
  const auto text = [](std::size_t id) {
    return fake::box("infe", "\2\0\0\0"s + fake::number(id, 2) + "\0\0mime\0text/plain\0\0"s);
  };
  const std::string head = fake::box("ftyp", "heic\0\0\0\0mif1"s);
  const std::string data = fake::box("mdat", std::string(limits::kStripBlockBytes, 'x'));
  const std::string place = "\0\1\0\0\0\1"s + fake::number(head.size() + 8, 4) + fake::number(data.size() - 8, 4);
  const std::string meta = fake::box("meta", "\0\0\0\0"s + fake::box("iinf", "\0\0\0\0\0\1"s + text(1)) +
                                                 fake::box("iloc", "\0\0\0\0\x44\0\0\1"s + place));
  CHECK(plan_in_time(head + data + meta).unread.empty());
  CHECK(!plan_in_time(head + data + repeated(meta, 8 << 20)).unread.empty());
}

static void gps_folders_by_the_thousand() {
  const auto u16 = [](unsigned n) { return std::string{static_cast<char>(n >> 8), static_cast<char>(n & 255)}; };
  const auto u32 = [&](unsigned n) { return u16(n >> 16) + u16(n & 0xFFFF); };
  constexpr unsigned kEntries = 60000;
  const std::string entry = u16(0x8825) + u16(4) + u32(1) + u32(8);  // the folder that it is in
  const std::string tiff = "MM\0\x2A"s + u32(8) + u16(kEntries) + repeated(entry, kEntries * entry.size()) + u32(0);
  const auto size = static_cast<unsigned>(tiff.size());
  const std::string chunk = u32(size) + "eXIf" + tiff + u32(0);
  plan_in_time("\x89PNG\r\n\x1A\n" + repeated(chunk, 4 * chunk.size()));
}

int main() {
  const CMUnitTest tests[] = {CASE(markers_alone), CASE(pictures_that_seem_to_begin_behind_a_picture),
                              CASE(a_count_of_places_that_are_not_there), CASE(gps_folders_by_the_thousand),
                              CASE(tables_by_the_thousand_that_lead_to_the_same_bytes)};
  return RUN_TESTS("strip_cost", tests);
}

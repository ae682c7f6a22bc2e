// imaging_film_arguments_test.cc — ffmpeg is told one reader, the decoders it may use, and one file.
#include "imaging/film_arguments.h"

#include <algorithm>

#include "check.h"

using namespace cloakroom;  // NOLINT: a test

namespace {

constexpr FilmKind kKind{"video/webm", "matroska"};

// The word behind `name`, or "" where it is not there.
std::string value_of(const Arguments& words, std::string_view name) {
  const auto found = std::find(words.begin(), words.end(), name);
  return found == words.end() || found + 1 == words.end() ? "" : *(found + 1);
}

bool has(const Arguments& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

std::size_t place_of(const Arguments& words, std::string_view word) {
  return static_cast<std::size_t>(std::find(words.begin(), words.end(), word) - words.begin());
}

}  // namespace

static void each_call_has_one_reader_and_one_file() {
  for (const Arguments& words :
       {film_facts_arguments(kKind, 50), poster_arguments(kKind, {.max_pixels = 50}), waveform_arguments(kKind)}) {
    const std::size_t input = place_of(words, "-i");
    CHECK_EQ(words.at(input + 1), "file:/proc/self/fd/3");
    CHECK_EQ(std::count(words.begin(), words.end(), "-i"), 1);
    CHECK_EQ(value_of(words, "-f"), "matroska");
    CHECK_EQ(value_of(words, "-format_whitelist"), "matroska");
    CHECK_EQ(value_of(words, "-protocol_whitelist"), "file");
    // options hold for the file that comes behind them
    for (const char* option : {"-f", "-format_whitelist", "-protocol_whitelist", "-codec_whitelist", "-probesize"}) {
      CHECK(place_of(words, option) < input);
    }
    for (const char* reader : {"hls", "concat", "image2", "lavfi", "tty", "ansi", "gif", "ffmetadata"}) {
      CHECK(("," + value_of(words, "-codec_whitelist") + ",").find("," + std::string(reader) + ",") ==
            std::string::npos);
    }
  }
}

static void what_is_written_goes_to_the_result_alone() {
  for (const Arguments& words : {poster_arguments(kKind, {}), waveform_arguments(kKind)}) {
    CHECK_EQ(words.back(), "pipe:1");
    CHECK_EQ(value_of(words, "-frames:v"), "1");
    CHECK_EQ(value_of(words, "-map_metadata"), "-1");
    CHECK(has(words, "-nostdin"));
  }
}

static void a_poster_is_of_its_moment() {
  using std::chrono::milliseconds;
  const Arguments first = poster_arguments(kKind, {.at = milliseconds(0), .max_pixels = 50});
  CHECK(!has(first, "-ss") && !has(first, "-skip_frame"));
  CHECK_EQ(value_of(first, "-max_pixels"), "50");
  CHECK_EQ(value_of(first, "-map"), "0:V:0");  // V: no cover
  const Arguments later = poster_arguments(kKind, {.at = milliseconds(1000)});
  CHECK_EQ(value_of(later, "-ss"), "1000ms");
  CHECK(place_of(later, "-ss") < place_of(later, "-i"));
  const Arguments near = poster_arguments(kKind, {.at = milliseconds(1000), .is_near = true});
  CHECK_EQ(value_of(near, "-skip_frame"), "nokey");
  CHECK(has(near, "-noaccurate_seek"));
  CHECK_EQ(value_of(near, "-fps_mode"), "passthrough");
}

static void a_sound_is_drawn_for_its_first_minutes() {
  const Arguments words = waveform_arguments(kKind);
  CHECK_EQ(value_of(words, "-t"), "120");
  CHECK(place_of(words, "-t") < place_of(words, "-i"));
  CHECK(value_of(words, "-filter_complex").find("channel_layouts=mono,showwavespic") != std::string::npos);
}

static void covers_and_subtitles_are_described_and_not_decoded() {
  const auto codecs = [](const Arguments& words) { return "," + value_of(words, "-codec_whitelist") + ","; };
  for (const char* beside : {",png,", ",subrip,"}) {
    CHECK(codecs(film_facts_arguments(kKind, 50)).find(beside) != std::string::npos);
    CHECK(codecs(poster_arguments(kKind, {})).find(beside) == std::string::npos);
    CHECK(codecs(waveform_arguments(kKind)).find(beside) == std::string::npos);
  }
}

int main() {
  const CMUnitTest tests[] = {
      CASE(each_call_has_one_reader_and_one_file),
      CASE(what_is_written_goes_to_the_result_alone),
      CASE(a_poster_is_of_its_moment),
      CASE(a_sound_is_drawn_for_its_first_minutes),
      CASE(covers_and_subtitles_are_described_and_not_decoded),
  };
  return RUN_TESTS("imaging_film_arguments", tests);
}

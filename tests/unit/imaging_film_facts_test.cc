// imaging_film_facts_test.cc — what ffprobe says is read with distrust: it has seen the film.
#include "imaging/film_facts.h"

#include <limits>

#include "base/limits.h"
#include "check.h"

using namespace cloakroom;  // NOLINT: a test

namespace {

std::string stream(const std::string& type, const std::string& more = "") {
  return R"({"codec_type":")" + type + '"' + more + R"(,"disposition":{"attached_pic":0}})";
}
const std::string kPictures = stream("video", R"(,"width":640,"height":360)");
const std::string kCover = R"({"codec_type":"video","width":90,"height":90,"disposition":{"attached_pic":1}})";

std::string film(const std::string& streams, const std::string& duration = "3.500000") {
  return R"({"programs":[],"streams":[)" + streams + R"(],"format":{"duration":")" + duration + "\"}}";
}

}  // namespace

static void a_film_has_sides_sound_and_a_length() {
  const FilmFacts facts = CHECK_OK(parse_film_facts(film(stream("audio") + "," + kPictures)));
  CHECK(facts.has_pictures && facts.has_sound);
  CHECK_EQ(facts.width, 640U);
  CHECK_EQ(facts.height, 360U);
  CHECK_EQ(facts.duration_ms, 3500U);
}

static void the_first_pictures_count_and_others_are_passed_over() {
  const std::string second = stream("video", R"(,"width":7,"height":7)");
  const FilmFacts facts =
      CHECK_OK(parse_film_facts(film(stream("subtitle") + "," + kCover + "," + kPictures + "," + second)));
  CHECK_EQ(facts.width, 640U);
  CHECK(!facts.has_sound);
}

static void a_sound_with_a_cover_is_a_sound() {
  const FilmFacts facts = CHECK_OK(parse_film_facts(film(stream("audio") + "," + kCover)));
  CHECK(!facts.has_pictures && facts.has_sound);
  CHECK_EQ(facts.width, 0U);
}

static void a_length_is_a_number_within_its_limits() {
  constexpr auto kMost = static_cast<std::uint32_t>(std::numeric_limits<std::int32_t>::max());
  for (const auto& [word, ms] : {std::pair{"0.0404", 40U},
                                 {"1e300", kMost},
                                 {"inf", kMost},
                                 {"2147483.648", kMost},
                                 {"-5", 0U},
                                 {"nan", 0U},
                                 {"N/A", 0U},
                                 {"3.5s", 0U},
                                 {"", 0U},
                                 {" 3", 0U}}) {
    CHECK_EQ(CHECK_OK(parse_film_facts(film(kPictures, word))).duration_ms, ms);
  }
  const std::string streams = stream("audio", R"(,"duration":"2.0")") + "," + stream("audio", R"(,"duration":"4.0")");
  CHECK_EQ(CHECK_OK(parse_film_facts(R"({"streams":[)" + streams + R"(],"format":{}})")).duration_ms, 4000U);
  CHECK_EQ(
      CHECK_OK(parse_film_facts(R"({"streams":[)" + stream("audio") + R"(],"format":{"duration":9}})")).duration_ms,
      0U);
}

static void what_has_neither_pictures_nor_sound_is_refused() {
  for (const std::string& text :
       {film(""), film(kCover), film(stream("data")), film("7"), std::string("{}"), std::string("[]"),
        std::string("{ "), std::string(), std::string(R"({"streams":{"codec_type":"audio"}})")}) {
    CHECK_ERR(parse_film_facts(text), Errc::kUndecodable);
  }
}

static void sides_beyond_their_limit_are_refused() {
  for (const char* sides : {R"(,"width":0,"height":5)", R"(,"width":5,"height":65536)", R"(,"width":-5,"height":5)",
                            R"(,"width":"5","height":5)", R"(,"width":5)"}) {
    CHECK_ERR(parse_film_facts(film(stream("video", sides))), Errc::kUndecodable);
  }
}

static void streams_and_bytes_are_counted() {
  std::string many;
  for (std::uint32_t i = 0; i < limits::kFilmStreams; ++i) many += stream("data") + ",";
  CHECK_ERR(parse_film_facts(film(many + stream("audio"))), Errc::kUndecodable);
  CHECK_ERR(parse_film_facts(film(kPictures) + std::string(limits::kFilmFactsBytes, ' ')), Errc::kUndecodable);
}

int main() {
  const CMUnitTest tests[] = {
      CASE(a_film_has_sides_sound_and_a_length),
      CASE(the_first_pictures_count_and_others_are_passed_over),
      CASE(a_sound_with_a_cover_is_a_sound),
      CASE(a_length_is_a_number_within_its_limits),
      CASE(what_has_neither_pictures_nor_sound_is_refused),
      CASE(sides_beyond_their_limit_are_refused),
      CASE(streams_and_bytes_are_counted),
  };
  return RUN_TESTS("imaging_film_facts", tests);
}

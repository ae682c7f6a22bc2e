// film_facts.cc — looks for the first stream of pictures, for any of sound, and for the longest time that is told.
#include "imaging/film_facts.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <string>

#include "base/json.h"
#include "base/limits.h"

namespace cloakroom {
namespace {

Error broken(const char* what) {
  return Error{Errc::kUndecodable, std::string("film: ") + what};
}

std::string_view text(const json_t* object, const char* name) {
  const json_t* value = json_object_get(object, name);
  if (!json_is_string(value)) return {};
  return {json_string_value(value), json_string_length(value)};
}

// Seconds with a fraction; 0 where there is none, or no number ("N/A").
std::uint32_t duration_ms(const json_t* object) {
  const std::string_view word = text(object, "duration");
  double seconds = 0;
  const auto [end, fault] = std::from_chars(word.data(), word.data() + word.size(), seconds);
  if (fault != std::errc() || end != word.data() + word.size() || !(seconds > 0)) return 0;
  constexpr double kMost = std::numeric_limits<std::int32_t>::max();
  return static_cast<std::uint32_t>(std::min(std::round(seconds * 1000), kMost));
}

std::uint32_t side(const json_t* stream, const char* name) {
  const json_int_t value = json_integer_value(json_object_get(stream, name));
  return value > 0 && value <= limits::kImageSide ? static_cast<std::uint32_t>(value) : 0;
}

bool is_cover(const json_t* stream) {
  return json_integer_value(json_object_get(json_object_get(stream, "disposition"), "attached_pic")) != 0;
}

}  // namespace

Result<FilmFacts> parse_film_facts(std::string_view json) {
  if (json.size() > limits::kFilmFactsBytes) return broken("what is said of it is too long");
  const auto root = parse_json(json);
  if (!root || !json_is_object(root->get())) return broken("what is said of it is no object");
  FilmFacts facts;
  facts.duration_ms = duration_ms(json_object_get(root->get(), "format"));
  const json_t* streams = json_object_get(root->get(), "streams");
  const std::size_t count = std::min<std::size_t>(json_array_size(streams), limits::kFilmStreams);
  for (std::size_t i = 0; i < count; ++i) {
    const json_t* stream = json_array_get(streams, i);
    const std::string_view type = text(stream, "codec_type");
    if (type == "audio") facts.has_sound = true;
    const bool is_picture = type == "video" && !is_cover(stream);
    if (is_picture && !facts.has_pictures) {
      facts.has_pictures = true;
      facts.width = side(stream, "width");
      facts.height = side(stream, "height");
    }
    if (json_object_get(json_object_get(root->get(), "format"), "duration") == nullptr) {
      facts.duration_ms = std::max(facts.duration_ms, duration_ms(stream));
    }
  }
  if (!facts.has_pictures && !facts.has_sound) return broken("there is neither a picture nor a sound in it");
  if (facts.has_pictures && (facts.width == 0 || facts.height == 0)) return broken("its sides are wrong");
  return facts;
}

}  // namespace cloakroom

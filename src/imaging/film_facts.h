// film_facts.h — what ffprobe says of a film or a sound. Pure: no I/O.
//
// Source   ffprobe -of json, with the entries that film_arguments.h asks for.
// Shape {"streams":[{"codec_type":"video","width":640,"height":360,"duration":"3.0","disposition":{"attached_pic":0}}],
//          "format":{"duration":"3.000000"}}
// Bytes    hostile: ffprobe may have been taken over by the film.
// Errors   kUndecodable  not of this form, or there is neither a picture nor a sound in it
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace cloakroom {

struct FilmFacts {
  bool has_pictures = false;  // that move; a cover is none
  bool has_sound = false;
  std::uint32_t width = 0, height = 0;  // pixels as they are coded: not turned, not stretched
  std::uint32_t duration_ms = 0;        // 0: it does not say; at most the largest std::int32_t
};

Result<FilmFacts> parse_film_facts(std::string_view json);

}  // namespace cloakroom

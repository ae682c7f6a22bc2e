// film_kinds.h — which films and sounds have a picture, and the one reader of ffmpeg that may open each.
//
// Rule     The type comes from libmagic, and names the reader (demuxer). It is not left to ffmpeg to guess one: it
// would
//          also take a file for a playlist, which opens others.
// Errors   kUnsupportedType  not in the table
#pragma once

#include <string_view>

#include "base/result.h"

namespace cloakroom {

struct FilmKind {
  std::string_view mime_type;
  std::string_view demuxer;  // ffmpeg -demuxers
};

Result<FilmKind> film_kind_of(std::string_view mime_type);

}  // namespace cloakroom

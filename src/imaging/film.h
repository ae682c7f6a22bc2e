// film.h — a still picture of a film or a sound: a frame, or a drawing of how loud it is when.
//
// Shape    ffprobe says what is in it, ffmpeg makes the still, each in a process of its own (imaging/program.h) over a
//          copy in memory: the original itself could only be opened anew by its owner. The still is as untrusted as any
//          picture.
// Which    of a film the frame one second from its beginning, or the first where it is shorter; of more than 1080 lines
//          the whole picture before that, for the others cost seconds. Of all without pictures that move: the sound.
// Memory   at most kFilmHeadBytes + kFilmTailBytes of a file, from its beginning and its end, with a hole between, to
//          read alone; the still. Neither can be executed as a program, from Linux 6.3 on. Both are gone with the
//          process.
// Errors   kUndecodable      of the film; retryable: a program died over it
//          kUnsupportedType  of its type there are none, or the programs cannot be started
//          others            retryable: no memory, no process
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/file.h"
#include "base/handle.h"
#include "base/result.h"
#include "imaging/film_facts.h"

namespace cloakroom {

struct FilmOptions {
  std::string ffmpeg, ffprobe;  // paths; empty: there are no stills
  std::uint64_t max_pixels = 0;
  bool is_confined = true;
};

struct Still {
  FilmFacts facts;
  UniqueFd file;  // in memory
  std::uint64_t size_bytes = 0;
  std::string_view mime_type;  // image/jpeg of a film, image/png of a sound
};

// Whether a film of this type would have one.
bool may_have_still(const FilmOptions& options, std::string_view mime_type);
// `nowhere` is /dev/null, borrowed.
Result<Still> still_of(const FilmOptions& options, const FileRange& film, std::string_view mime_type, int nowhere);

}  // namespace cloakroom

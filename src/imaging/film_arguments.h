// film_arguments.h — the words that ffprobe and ffmpeg are called with. Pure: no I/O.
//
// Input    descriptor 3, opened anew by its number in /proc: "pipe:" cannot go back, and many films have their index at
//          the end. No protocol but "file" is allowed; which files there are to open, is imaging/confine's.
// Output   descriptor 1.
// Readers  the one that belongs to the type (imaging/film_kinds.h), and decoders that the world uses. So a playlist, a
//          list of files to join, or a drawing is never read as such, whatever the file is called or begins with.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "imaging/film_kinds.h"

namespace cloakroom {

inline constexpr int kFilmDescriptor = 3;

using Arguments = std::vector<std::string>;  // without the program's own name

// Of ffprobe: JSON as imaging/film_facts.h reads it.
Arguments film_facts_arguments(const FilmKind& kind, std::uint64_t max_pixels);

struct Poster {
  std::chrono::milliseconds at{};
  bool is_near = false;  // the whole picture (key frame) before that moment will do: others are made of those before
  std::uint64_t max_pixels = 0;
};
// Of ffmpeg: one frame as JPEG, upright, with square pixels. Nothing where the film ends before that moment.
Arguments poster_arguments(const FilmKind& kind, const Poster& wanted);

// Of ffmpeg: the loudness of all channels together over the first minutes, as PNG with a transparent ground.
Arguments waveform_arguments(const FilmKind& kind);

}  // namespace cloakroom

// film.cc — copy, ask ffprobe, have ffmpeg make one picture.
#include "imaging/film.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/limits.h"
#include "imaging/film_arguments.h"
#include "imaging/program.h"

namespace cloakroom {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kMoment{1000};
constexpr std::uint64_t kCheapPixels = 1920ULL * 1088;  // of a frame; of more the frames before it cost too much

constexpr unsigned kNeverAProgram = 8;  // MFD_NOEXEC_SEAL, of Linux 6.3

Result<UniqueFd> memory_file() {
  UniqueFd fd(::memfd_create("film", MFD_CLOEXEC | kNeverAProgram));
  if (!fd && errno == EINVAL) fd.reset(::memfd_create("film", MFD_CLOEXEC));
  if (!fd) return errno_error("make", "a memory file", errno);
  return fd;
}

Result<std::uint64_t> size_of(int fd) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) return errno_error("look at", "a memory file", errno);
  return static_cast<std::uint64_t>(info.st_size);
}

// Bytes `from` .. `to` of the range, to the same place of the copy.
Status copy_part(const FileRange& film, int copy, std::uint64_t from, std::uint64_t to) {
  while (from < to) {
    const auto most = static_cast<std::size_t>(std::min<std::uint64_t>(to - from, copy_buffer().size()));
    TRY_ASSIGN(const std::size_t got, read_at(film.fd, copy_buffer().first(most), film.offset + from));
    if (got == 0) return Error{Errc::kInvalid, "the file has no such range"};
    TRY(write_at(copy, copy_buffer().first(got), from));
    from += got;
  }
  return Ok{};
}

// A program that could write to it would fill the hole: memory that is shared has no limit of ours.
Result<UniqueFd> copy_of(const FileRange& film) {
  TRY_ASSIGN(UniqueFd copy, memory_file());
  if (::ftruncate(copy.get(), static_cast<off_t>(film.size)) != 0) return errno_error("make", "a memory file", errno);
  const bool is_whole = film.size <= limits::kFilmHeadBytes + limits::kFilmTailBytes;
  TRY(copy_part(film, copy.get(), 0, is_whole ? film.size : limits::kFilmHeadBytes));
  if (!is_whole) TRY(copy_part(film, copy.get(), film.size - limits::kFilmTailBytes, film.size));
  return open_file("/proc/self/fd/" + std::to_string(copy.get()), O_RDONLY);
}

class Studio {
 public:
  Studio(const FilmOptions& options, const FilmKind& kind, int film, int nowhere)
      : options_(options), kind_(kind), film_(film), nowhere_(nowhere) {}

  Result<FilmFacts> facts() {
    TRY_ASSIGN(const UniqueFd said,
               result_of(options_.ffprobe, film_facts_arguments(kind_, options_.max_pixels), limits::kFilmFactsBytes));
    TRY_ASSIGN(const std::uint64_t size, size_of(said.get()));
    std::string text(static_cast<std::size_t>(size), '\0');
    TRY_ASSIGN(const std::size_t got, read_at(said.get(), std::as_writable_bytes(std::span(text)), 0));
    text.resize(got);
    return parse_film_facts(text);
  }

  Status make(Still& still) {
    if (!still.facts.has_pictures) {
      still.mime_type = "image/png";
      return take(still, waveform_arguments(kind_));
    }
    still.mime_type = "image/jpeg";
    Poster wanted{.at = kMoment, .max_pixels = options_.max_pixels};
    wanted.is_near = std::uint64_t{still.facts.width} * still.facts.height > kCheapPixels;
    const milliseconds length(still.facts.duration_ms);
    if (length.count() > 0 && length <= kMoment) wanted.at = milliseconds(0);
    TRY(take(still, poster_arguments(kind_, wanted)));
    if (still.size_bytes > 0 || wanted.at.count() == 0) return Ok{};
    wanted.at = milliseconds(0);
    return take(still, poster_arguments(kind_, wanted));
  }

 private:
  Result<UniqueFd> result_of(const std::string& program, Arguments words, std::uint64_t most_bytes) {
    TRY_ASSIGN(UniqueFd result, memory_file());
    TRY(run_program({.path = program,
                     .arguments = std::move(words),
                     .file = film_,
                     .result = result.get(),
                     .nowhere = nowhere_,
                     .cpu = std::chrono::seconds(limits::kFilmSeconds),
                     .result_bytes = most_bytes,
                     .is_confined = options_.is_confined}));
    return result;
  }

  Status take(Still& still, Arguments words) {
    TRY_ASSIGN(still.file, result_of(options_.ffmpeg, std::move(words), limits::kImageOutputBytes));
    TRY_ASSIGN(still.size_bytes, size_of(still.file.get()));
    return Ok{};
  }

  const FilmOptions& options_;
  const FilmKind& kind_;
  int film_, nowhere_;
};

Result<Still> make_still(const FilmOptions& options, const FilmKind& kind, const FileRange& film, int nowhere) {
  TRY_ASSIGN(const UniqueFd copy, copy_of(film));
  Studio studio(options, kind, copy.get(), nowhere);
  Still still;
  TRY_ASSIGN(still.facts, studio.facts());
  TRY(studio.make(still));
  if (still.size_bytes == 0) return Error{Errc::kUndecodable, "film: no picture came of it"};
  return still;
}

}  // namespace

bool may_have_still(const FilmOptions& options, std::string_view mime_type) {
  return !options.ffmpeg.empty() && film_kind_of(mime_type);
}

Result<Still> still_of(const FilmOptions& options, const FileRange& film, std::string_view mime_type, int nowhere) {
  TRY_ASSIGN(const FilmKind kind, film_kind_of(mime_type));
  auto made = make_still(options, kind, film, nowhere);
  if (made || made.error().code == Errc::kUndecodable || made.error().code == Errc::kUnsupportedType) return made;
  Error ours = std::move(made).error();
  ours.retryable = true;
  return ours;
}

}  // namespace cloakroom

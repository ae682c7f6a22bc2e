// imaging_film_test.cc — what the programs that make a still are given. Scripts of the shell stand in for them.
#include "imaging/film.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <string>

#include "base/file.h"
#include "base/limits.h"
#include "check.h"
#include "fake/temp_folder.h"

using namespace cloakroom;  // NOLINT: a test
using fake::TempFolder;

namespace {

constexpr unsigned kNeverExecuted = 8;  // MFD_NOEXEC_SEAL, of Linux 6.3

// Scripts that first do what they are told, and give up (1) when that fails.
class World {
 public:
  explicit World(const std::string& first) {
    constexpr auto* kFacts = R"(echo '{"streams":[{"codec_type":"video","width":2,"height":2}]}')";
    options_ = {.ffmpeg = script("ffmpeg", first + "\nprintf still\n"),
                .ffprobe = script("ffprobe", first + "\n" + kFacts + "\n"),
                .max_pixels = 1000,
                .is_confined = false};
  }

  Result<Still> still(std::uint64_t size_bytes = 7) const {
    const UniqueFd film(::memfd_create("original", MFD_CLOEXEC));
    CHECK_OK(write_all(film.get(), std::as_bytes(std::span("content", 7))));
    CHECK_EQ(::ftruncate(film.get(), static_cast<off_t>(size_bytes)), 0);
    const UniqueFd nowhere = CHECK_OK(open_file("/dev/null", O_RDWR));
    return still_of(options_, {film.get(), 0, size_bytes, {}}, "video/mp4", nowhere.get());
  }

 private:
  std::string script(std::string_view name, const std::string& body) const {
    const std::string path = folder_.write(name, "#!/bin/sh\n" + body);
    CHECK_EQ(::chmod(path.c_str(), 0700), 0);
    return path;
  }

  TempFolder folder_;
  FilmOptions options_;
};

bool has_sealed_memory() {
  return UniqueFd(::memfd_create("x", kNeverExecuted)).get() >= 0;
}

}  // namespace

static void a_program_reads_the_whole_film() {
  CHECK_EQ(CHECK_OK(World("test $(cat /proc/self/fd/3) = content || exit 1").still()).size_bytes, 5U);
}

static void of_a_large_film_there_is_a_hole_that_costs_nothing() {
  constexpr std::uint64_t kSize = 4 * (limits::kFilmHeadBytes + limits::kFilmTailBytes);
  const std::string most = std::to_string((limits::kFilmHeadBytes + limits::kFilmTailBytes) / 512);  // blocks
  const World w("test $(stat -L -c %s /proc/self/fd/3) = " + std::to_string(kSize) +
                " && test $(stat -L -c %b /proc/self/fd/3) -le " + most + " || exit 1");
  CHECK_OK(w.still(kSize));
}

static void no_program_can_write_to_the_film() {
  CHECK_OK(World("if printf x >&3; then exit 1; fi").still());
}

static void neither_film_nor_result_is_a_program() {
  if (!has_sealed_memory()) return;
  for (const char* number : {"1", "3"}) {
    CHECK_OK(World("test ! -x /proc/self/fd/" + std::string(number) + " || exit 1").still());
  }
}

int main() {
  const CMUnitTest tests[] = {
      CASE(a_program_reads_the_whole_film),
      CASE(of_a_large_film_there_is_a_hole_that_costs_nothing),
      CASE(no_program_can_write_to_the_film),
      CASE(neither_film_nor_result_is_a_program),
  };
  return RUN_TESTS("imaging_film", tests);
}

// strip.cc — µs of CPU to find what is to be taken out of each FILE, beside those of its SHA-256; nothing is written.
#include <fcntl.h>
#include <sys/stat.h>

#include <cstdio>
#include <ctime>
#include <functional>

#include "media/strip.h"

using namespace cloakroom;

namespace {

double microseconds(const std::function<void()>& act) {
  constexpr int kRounds = 200;
  const std::clock_t begin = std::clock();
  for (int i = 0; i < kRounds; ++i) act();
  return static_cast<double>(std::clock() - begin) * 1e6 / CLOCKS_PER_SEC / kRounds;
}

}  // namespace

int main(int argc, char** argv) {
  PictureStripper stripper(StripMode::kGps);
  for (int i = 1; i < argc; ++i) {
    const auto fd = open_file(argv[i], O_RDONLY);
    struct stat info {};
    if (!fd || ::fstat(fd->get(), &info) != 0) return 1;
    const FileRange file{fd->get(), 0, static_cast<std::uint64_t>(info.st_size), {}};
    std::size_t patches = 0;
    const double strip = microseconds([&] {
      const auto plan = stripper.plan(file);
      patches = plan ? plan->patches.size() : 0;
    });
    const double hash = microseconds([&] { [[maybe_unused]] const auto digest = hash_range(file); });
    std::printf("%s: %lu bytes, %zu patches, %.1f µs, SHA-256 %.1f µs\n", argv[i],
                static_cast<unsigned long>(file.size), patches, strip, hash);
  }
}

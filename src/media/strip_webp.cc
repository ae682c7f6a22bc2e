// strip_webp.cc — from chunk to chunk.
#include "media/strip_webp.h"

#include <algorithm>
#include <array>

#include "media/strip_jpeg.h"

namespace cloakroom {
namespace {

using std::string_view_literals::operator""sv;  // NOLINT(misc-unused-using-decls): clang-tidy 14 sees no literals

constexpr std::uint64_t kRiffHeader = 12, kHeader = 8;
constexpr std::array kNeeded{"VP8X"sv, "VP8 "sv, "VP8L"sv, "ALPH"sv, "ANIM"sv, "ANMF"sv, "ICCP"sv};

std::uint64_t little_endian(std::string_view bytes) {
  std::uint64_t out = 0;
  for (std::size_t i = bytes.size(); i > 0; --i) out = out << 8 | static_cast<unsigned char>(bytes[i - 1]);
  return out;
}

Status strip_chunk(const StripJob& job, const std::string& type, std::uint64_t data, std::uint64_t size) {
  if (type == "XMP ") return strip_xmp_block(job, data, size);
  if (type == "EXIF") {
    constexpr std::string_view kPrefix = "Exif\0\0"sv;  // of JPEG; some writers leave it
    TRY_ASSIGN(const std::string_view head, job.in.view(data, std::min<std::uint64_t>(size, kPrefix.size())));
    const std::size_t skipped = head == kPrefix ? kPrefix.size() : 0;
    return strip_exif_block(job, data + skipped, size - skipped);
  }
  const bool is_needed = std::find(kNeeded.begin(), kNeeded.end(), type) != kNeeded.end();
  return is_needed || job.mode == StripMode::kGps ? Status(Ok{}) : job.out.fill(data, size, '\0');
}

}  // namespace

Status strip_webp(const StripJob& job) {
  TRY_ASSIGN(const std::string_view riff, job.in.view(4, 4));
  const std::uint64_t end = std::min(little_endian(riff) + kHeader, job.in.size());
  std::uint64_t at = kRiffHeader;
  while (!job.out.gave_up() && at + kHeader <= end) {
    TRY_ASSIGN(const std::string head, job.in.copy(at, kHeader));
    const std::uint64_t size = little_endian(std::string_view(head).substr(4)), data = at + kHeader;
    TRY(strip_chunk(job, head.substr(0, 4), data, std::min(size, job.in.size() - data)));
    at = data + size + size % 2;
  }
  return strip_behind(job, std::min(std::max(at, end), job.in.size()));
}

}  // namespace cloakroom

// strip.cc — which format it is.
#include "media/strip.h"

#include <algorithm>
#include <array>

#include "media/big_endian.h"
#include "media/strip_boxes.h"
#include "media/strip_jpeg.h"
#include "media/strip_png.h"
#include "media/strip_webp.h"

namespace cloakroom {
namespace {

using std::string_view_literals::operator""sv;  // NOLINT(misc-unused-using-decls): clang-tidy 14 sees no literals

// Brands of ISO files that are pictures; films have others.
constexpr std::array kBrands{"mif1"sv, "mif2"sv, "msf1"sv, "heic"sv, "heix"sv, "heim"sv,
                             "heis"sv, "hevc"sv, "hevx"sv, "avif"sv, "avis"sv, "miaf"sv};

bool is_heif(std::string_view head) {
  if (head.substr(4, 4) != "ftyp") return false;
  const std::uint64_t size = big_endian(head, 0, 4);
  const std::size_t end = size < 8 ? head.size() : std::min<std::size_t>(head.size(), size);  // 0, 1: told elsewhere
  for (std::size_t at = 8; at + 4 <= end; at += at == 8 ? 8 : 4) {  // the version lies between
    if (std::find(kBrands.begin(), kBrands.end(), head.substr(at, 4)) != kBrands.end()) return true;
  }
  return false;
}

Status strip_heif(const StripJob& job) {
  TRY_ASSIGN(const std::uint64_t end, strip_boxes(job, 0));
  return strip_behind(job, end);
}

using FormatStripper = Status (*)(const StripJob&);
constexpr std::size_t kHeadBytes = 256, kLeastBytes = 12;

// Null: it is none of ours.
FormatStripper stripper_of(std::string_view head) {
  if (head.size() < kLeastBytes) return nullptr;
  if (head.starts_with("\xFF\xD8\xFF")) return [](const StripJob& job) { return strip_jpeg(job, 0); };
  if (head.starts_with("\x89PNG\r\n\x1A\n")) return strip_png;
  if (head.starts_with("RIFF") && head.substr(8, 4) == "WEBP") return strip_webp;
  return is_heif(head.substr(0, kHeadBytes)) ? strip_heif : nullptr;
}

}  // namespace

bool PictureStripper::takes(std::span<const std::byte> head) const {
  return stripper_of({reinterpret_cast<const char*>(head.data()), head.size()}) != nullptr;
}

Result<StripPlan> PictureStripper::plan(const FileRange& bytes) {
  Pieces in(bytes);
  StripEdits edits(in);
  TRY_ASSIGN(const std::string head, in.copy(0, kHeadBytes));
  if (const FormatStripper strip = stripper_of(head)) {
    const Status done = strip({in, edits, mode_});
    if (!done && done.error().code != Errc::kTooLarge) return done.error();
    if (!done) edits.give_up(done.error().detail);
  }
  return edits.take();
}

}  // namespace cloakroom

// strip_jpeg.cc — from marker to marker.
#include "media/strip_jpeg.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "media/big_endian.h"
#include "media/provenance.h"
#include "media/strip_boxes.h"
#include "media/strip_photoshop.h"

namespace cloakroom {
namespace {

using std::string_view_literals::operator""sv;  // NOLINT(misc-unused-using-decls): clang-tidy 14 sees no literals

constexpr unsigned char kStart = 0xD8, kEnd = 0xD9, kScan = 0xDA, kFirstApp = 0xE0, kLastApp = 0xEF, kComment = 0xFE;
constexpr unsigned char kApp1 = 0xE1, kApp11 = 0xEB, kApp13 = 0xED;
constexpr std::string_view kExif = "Exif\0"sv;  // and one byte more, zero or not
constexpr std::string_view kXmp = "http://ns.adobe.com/xap/1.0/\0"sv;
constexpr std::string_view kPhotoshop = "Photoshop 3.0\0"sv;

struct Known {
  unsigned char code;
  std::string_view prefix;
  bool in_all;  // a viewer needs it
};
constexpr std::array kHarmless{
    Known{0xE0, "JFIF\0"sv, true},
    Known{0xE0, "JFXX\0"sv, false},  // a thumbnail
    Known{0xE2, "ICC_PROFILE\0"sv, true},
    Known{0xE2, "MPF\0"sv, false},                          // where the second picture lies
    Known{0xE2, "urn:iso:std:iso:ts:21496:-1\0"sv, false},  // that it is a gain map
    Known{0xE8, "SPIFF\0"sv, true},
    Known{0xEB, "JP"sv, false},      // JPEG XT, JUMBF
    Known{0xEB, "HDR_RI"sv, false},  // JPEG-HDR
    Known{0xEC, "Ducky"sv, false},   // quality, as Photoshop saved it
    Known{0xEE, "Adobe"sv, true},    // colour transformation
};

bool stands_alone(unsigned char code) {
  return code == 0x01 || (code >= 0xD0 && code <= kStart);
}

struct Marker {
  unsigned char code = 0;   // 0: none any more
  std::uint64_t after = 0;  // behind it
};

// Also over entropy-coded bytes, and over garbage, as decoders do.
Result<Marker> next_marker(Pieces& in, std::uint64_t at) {
  for (;;) {
    TRY_ASSIGN(const std::string_view block, in.run(at));
    if (block.size() < 2) return Marker{0, in.size()};
    std::size_t i = 0;
    while (i + 1 < block.size()) {
      i = block.find('\xFF', i);
      if (i == std::string_view::npos || i + 1 >= block.size()) break;
      const auto code = static_cast<unsigned char>(block[i + 1]);
      if (code != 0 && code != 0xFF) return Marker{code, at + i + 2};
      i += code == 0 ? 2 : 1;
    }
    // a last byte 0xFF is looked at again together with what follows it
    at += std::min(i, block.size());
  }
}

Status strip_segment(const StripJob& job, unsigned char code, std::uint64_t at, std::uint64_t size) {
  const bool is_all = job.mode == StripMode::kAll;
  if (code == kComment) return is_all ? job.out.fill(at, size, ' ') : Status(Ok{});
  if (code < kFirstApp || code > kLastApp) return Ok{};
  TRY_ASSIGN(const std::string_view head, job.in.view(at, std::min<std::size_t>(size, 64)));
  if (code == kApp1 && head.starts_with(kExif) && size > kExif.size()) {
    return strip_exif_block(job, at + kExif.size() + 1, size - kExif.size() - 1);
  }
  if (code == kApp1 && head.starts_with(kXmp)) return strip_xmp_block(job, at + kXmp.size(), size - kXmp.size());
  if (code == kApp13 && head.starts_with(kPhotoshop) && !is_all) {
    TRY_ASSIGN(const std::string before, job.in.copy(at + kPhotoshop.size(), size - kPhotoshop.size()));
    job.out.replace(at + kPhotoshop.size(), before, stripped_photoshop(before, job.mode, job.depth));
    return Ok{};
  }
  const bool is_harmless = std::any_of(kHarmless.begin(), kHarmless.end(), [&](const Known& known) {
    return known.code == code && head.starts_with(known.prefix) && (known.in_all || !is_all);
  });
  return is_harmless ? Status(Ok{}) : job.out.fill(at, size, '\0');
}

// A manifest of provenance is spread over segments, each with a header of its own, and stays or goes whole.
class Manifest {
 public:
  Status see(const StripJob& job, unsigned char code, std::uint64_t at, std::uint64_t size) {
    if (code != kApp11 || job.mode == StripMode::kAll) return Ok{};
    TRY_ASSIGN(const std::string_view payload, job.in.view(at, std::min(size, limits::kStripWindowBytes)));
    search_.show(payload.substr(std::min<std::size_t>(payload.size(), kHeader)));
    segments_.push_back({at, size});
    return Ok{};
  }
  Status settle(const StripJob& job) {
    if (!search_.has_found()) return Ok{};
    for (const auto& [at, size] : segments_) TRY(job.out.fill(at, size, '\0'));
    return Ok{};
  }
  bool is_too_long() const { return segments_.size() > limits::kManifestSegments; }

 private:
  static constexpr std::size_t kHeader = 16;
  ProvenanceSearch search_ = {};
  std::vector<std::pair<std::uint64_t, std::uint64_t>> segments_ = {};
};

// One picture; the answer is where it ends.
Result<std::uint64_t> strip_picture(const StripJob& job, std::uint64_t from) {
  std::uint64_t at = from + 2;
  Manifest manifest;
  while (!job.out.gave_up()) {
    TRY_ASSIGN(const Marker marker, next_marker(job.in, at));
    at = marker.after;
    if (marker.code == 0 || marker.code == kEnd) break;
    if (stands_alone(marker.code)) continue;
    TRY_ASSIGN(const std::string_view length, job.in.view(at, 2));
    const std::uint64_t size = big_endian(length, 0, 2);
    if (length.size() == 2 && size < 2) continue;
    const std::uint64_t body = std::min(at + 2, job.in.size()), end = std::min(at + size, job.in.size());
    if (body < end) {
      TRY(strip_segment(job, marker.code, body, end - body));
      TRY(manifest.see(job, marker.code, body, end - body));
    }
    if (manifest.is_too_long()) job.out.give_up("it has too many segments");
    at = std::max(body, end);
  }
  TRY(manifest.settle(job));
  return at;
}

struct Found {
  std::uint64_t at = 0;
  bool is_film = false;
};

constexpr std::string_view kPictureBegins = "\xFF\xD8\xFF";

// Whether a picture really begins there. The three bytes alone stand in any archive of some megabytes, and to clear
// what follows them would destroy it: so segments must follow each other, or the first be one that pictures begin with.
Result<bool> begins_picture(Pieces& in, std::uint64_t from) {
  constexpr std::array kFirst{"JFIF\0"sv, "Exif\0"sv, "http://ns.adobe.com/"sv, "ICC_PROFILE\0"sv};
  constexpr int kEnough = 3;
  std::uint64_t at = from + 2;
  for (int n = 0; n < kEnough; ++n) {
    TRY_ASSIGN(const std::string_view head, in.view(at, 32));
    if (head.size() < 4) return n > 0;
    const auto code = static_cast<unsigned char>(head[1]);
    const std::uint64_t size = big_endian(head, 2, 2);
    if (head[0] != '\xFF' || code < 0xC0 || code == 0xFF || stands_alone(code) || code == kEnd || size < 2)
      return false;
    const bool is_first = std::any_of(kFirst.begin(), kFirst.end(),
                                      [&](std::string_view word) { return head.substr(4).starts_with(word); });
    if (code == kScan || (n == 0 && is_first)) return true;
    at += 2 + size;
  }
  return true;
}

// The next picture or film. `at` beyond the end: none.
Result<Found> next_behind(Pieces& in, std::uint64_t from) {
  constexpr std::size_t kLook = 8;
  constexpr std::uint64_t kNone = ~std::uint64_t{0};
  std::uint64_t film = kNone;               // where the first "ftyp" is
  std::uint64_t looked_through = from + 4;  // for it, once: pictures may be thought to begin at every third byte
  for (std::uint64_t at = from; at + kLook <= in.size();) {
    TRY_ASSIGN(const std::string_view block, in.run(at));
    if (block.size() < kLook) break;
    const std::size_t last = block.size() - kLook;
    if (film == kNone && at + last >= looked_through) {
      const std::size_t found = block.find("ftyp", static_cast<std::size_t>(std::max(looked_through, at) - at));
      if (found <= last) film = at + found;
      looked_through = at + last + 1;
    }
    const std::size_t picture = block.find(kPictureBegins);
    if (film <= at + last && (picture > last || film < at + picture)) return Found{film - 4, true};
    if (picture <= last) {
      TRY_ASSIGN(const bool is_one, begins_picture(in, at + picture));
      if (is_one) return Found{at + picture, false};
      at += picture + 1;
    } else {
      at += last + 1;
    }
  }
  return Found{in.size(), false};
}

}  // namespace

Status strip_behind(const StripJob& job, std::uint64_t from) {
  if (job.mode == StripMode::kAll) return job.out.fill(from, job.in.size() - std::min(from, job.in.size()), '\0');
  for (std::size_t n = 0; !job.out.gave_up(); ++n) {
    TRY_ASSIGN(const Found found, next_behind(job.in, from));
    if (found.at >= job.in.size()) return Ok{};
    if (n >= limits::kStripPictures) {
      job.out.give_up("it holds too many pictures");
      return Ok{};
    }
    if (found.is_film) {
      TRY_ASSIGN(const std::uint64_t end, strip_boxes(job, found.at));
      from = std::max(end, found.at + 8);
    } else {
      TRY_ASSIGN(from, strip_picture(job, found.at));
    }
  }
  return Ok{};
}

Status strip_jpeg(const StripJob& job, std::uint64_t from) {
  TRY_ASSIGN(const std::uint64_t end, strip_picture(job, from));
  return strip_behind(job, end);
}

}  // namespace cloakroom

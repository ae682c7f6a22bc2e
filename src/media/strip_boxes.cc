// strip_boxes.cc — from box to box; into those that hold others.
#include "media/strip_boxes.h"

#include <algorithm>
#include <array>

#include "base/limits.h"
#include "media/big_endian.h"
#include "media/heif_items.h"
#include "media/provenance.h"
#include "media/strip_exif.h"
#include "media/strip_xmp.h"

namespace cloakroom {
namespace {

using std::string_view_literals::operator""sv;  // NOLINT(misc-unused-using-decls): clang-tidy 14 sees no literals

constexpr std::string_view kXmpId = "\xBE\x7A\xCF\xCB\x97\xA9\x42\xE8\x9C\x71\x99\x94\x91\xE3\xAF\xAC"sv;
constexpr std::string_view kProvenanceId =
    "\xD8\xFE\xC3\xD6\x1B\x0E\x48\x3C\x92\x97\x58\x28\x87\x7E\xC4\x81"sv;  // C2PA
constexpr std::array kNeeded{"ftyp"sv, "styp"sv, "mdat"sv, "pdin"sv, "moof"sv, "mfra"sv, "sidx"sv};

// As if it had never said anything: its place stays.
Status free_box(const StripJob& job, const Box& box) {
  TRY(job.out.write(box.at + 4, "free"));
  return job.out.fill(box.content, box.size(), '\0');
}

Status strip_film(const StripJob& job, const Box& film, bool is_track) {
  for (std::uint64_t at = film.content;;) {
    TRY_ASSIGN(const std::optional<Box> box, box_at(job.in, at, film.end));
    if (!box || box->end == at) return Ok{};
    if (box->type == "udta" || box->type == "meta" || box->type == "uuid") TRY(free_box(job, *box));
    if (box->type == "trak" && !is_track) TRY(strip_film(job, *box, true));
    at = box->end;
  }
}

// Four bytes say how far behind them the TIFF header is; usually "Exif\0\0" lies between.
std::string stripped_exif_item(const std::string& before, StripMode mode, unsigned depth) {
  constexpr std::uint64_t kPrefix = 4, kMostBetween = 64;
  const std::uint64_t tiff_at = kPrefix + big_endian(before, 0, kPrefix);
  if (tiff_at > before.size() || tiff_at > kPrefix + kMostBetween) return std::string(before.size(), '\0');
  const auto at = static_cast<std::size_t>(tiff_at);
  return before.substr(0, at) + stripped_exif(std::string_view(before).substr(at), mode, depth);
}

std::string stripped_item(const HeifItem& item, const std::string& before, const StripJob& job) {
  const bool is_xmp = item.content_type == "application/rdf+xml";
  if (item.type == "Exif") return stripped_exif_item(before, job.mode, job.depth);
  if (is_xmp && !item.is_encoded) return stripped_xmp(before, job.mode);
  if (is_xmp || job.mode == StripMode::kAll) return std::string(before.size(), '\0');
  return before;
}

// REQUIRES: it lies within the file
Status strip_item(const StripJob& job, const HeifItem& item) {
  std::uint64_t size = 0;
  for (const HeifExtent& extent : item.extents) size += extent.size;
  if (size > limits::kStripBlockBytes) {
    const bool is_known = item.type == "Exif" || item.content_type == "application/rdf+xml";
    if (!is_known && job.mode == StripMode::kGps) return Ok{};
    for (const HeifExtent& extent : item.extents) TRY(job.out.fill(extent.at, extent.size, '\0'));
    return Ok{};
  }
  std::string before;
  for (const HeifExtent& extent : item.extents) {
    TRY_ASSIGN(const std::string part, job.in.copy(extent.at, static_cast<std::size_t>(extent.size)));
    before += part;
  }
  if (before.size() != size) return Error{Errc::kInternal, "cannot read file: it is shorter than its range"};
  const std::string after = stripped_item(item, before, job);
  std::size_t done = 0;
  for (const HeifExtent& extent : item.extents) {
    const auto part = static_cast<std::size_t>(extent.size);
    job.out.replace(extent.at, std::string_view(before).substr(done, part), std::string_view(after).substr(done, part));
    done += part;
  }
  return Ok{};
}

Status strip_items(const StripJob& job, const Box& meta) {
  TRY_ASSIGN(const HeifItems found, read_heif_items(job.in, meta));
  if (!found.unread.empty()) job.out.note(found.unread);
  const auto is_inside = [&](const HeifExtent& e) { return e.at <= job.in.size() && e.size <= job.in.size() - e.at; };
  const auto is_new = [&](const HeifExtent& e) { return job.out.may_follow(e.size); };
  for (const HeifItem& item : found.items) {
    if (item.content_type.starts_with("image/")) continue;
    if (!std::all_of(item.extents.begin(), item.extents.end(), is_inside)) {
      job.out.note("an item lies outside of the file");
    } else if (!std::all_of(item.extents.begin(), item.extents.end(), is_new)) {
      job.out.note("its items share their bytes");
    } else {
      TRY(strip_item(job, item));
    }
    if (job.out.gave_up()) return Ok{};
  }
  return Ok{};
}

Result<std::uint64_t> strip_range(const StripJob& job, std::uint64_t from, std::uint64_t end);

Status strip_uuid(const StripJob& job, const Box& box) {
  const auto id_size = static_cast<std::size_t>(std::min<std::uint64_t>(kXmpId.size(), box.size()));
  TRY_ASSIGN(const std::string id, job.in.copy(box.content, id_size));
  if (id == kXmpId) return strip_xmp_block(job, box.content + id.size(), box.size() - id.size());
  if (id == kProvenanceId && job.mode == StripMode::kGps) {
    TRY_ASSIGN(const bool is_secret, has_secret_provenance(job.in, box.content, box.size()));
    if (!is_secret) return Ok{};
  }
  return free_box(job, box);
}

Status strip_box(const StripJob& job, const Box& box) {
  const bool is_all = job.mode == StripMode::kAll;
  if (std::find(kNeeded.begin(), kNeeded.end(), box.type) != kNeeded.end()) return Ok{};
  if (box.type == "meta") return strip_items(job, box);
  if (box.type == "moov") return strip_film(job, box, false);
  if (box.type == "uuid") return strip_uuid(job, box);
  if (box.type == "free" || box.type == "skip" || is_all) return free_box(job, box);
  if (box.type != "mpvd") return Ok{};
  // a film within the picture, as phones put it there
  if (job.depth >= limits::kStripDepth) return free_box(job, box);
  TRY(strip_range({job.in, job.out, job.mode, job.depth + 1}, box.content, box.end));
  return Ok{};
}

Result<std::uint64_t> strip_range(const StripJob& job, std::uint64_t from, std::uint64_t end) {
  std::uint64_t at = from;
  while (!job.out.gave_up()) {
    TRY_ASSIGN(const std::optional<Box> box, box_at(job.in, at, end));
    if (!box) break;
    TRY(strip_box(job, *box));
    at = box->end;
  }
  return at;
}

}  // namespace

Result<std::uint64_t> strip_boxes(const StripJob& job, std::uint64_t from) {
  return strip_range(job, from, job.in.size());
}

}  // namespace cloakroom

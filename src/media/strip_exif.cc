// strip_exif.cc — copies what may stay, folder by folder, into a block of zeros.
#include "media/strip_exif.h"

#include <algorithm>
#include <array>
#include <set>
#include <vector>

#include "base/limits.h"
#include "media/strip_jpeg.h"
#include "media/strip_photoshop.h"
#include "media/strip_xmp.h"
#include "media/tiff.h"

namespace cloakroom {
namespace {

// A file may say that all its entries share one value: copied for each of them it would cost hours.
constexpr std::uint64_t kMostCopies = 4;
constexpr std::uint32_t kMostSubfolders = 16;
constexpr std::uint16_t kGpsFolder = 0x8825, kSubfolders = 0x014A, kXmp = 0x02BC, kPhotoshop = 0x8649,
                        kThumbnailAt = 0x0201;
constexpr std::array<std::uint16_t, 2> kFolders{0x8769, 0xA005};  // Exif, interoperability

constexpr std::array<std::uint16_t, 16> kSecrets{
    0x830E,     0x8482, 0x85D8, 0x87AF, 0x87B0, 0x87B1,  // geographic: pixel scale, tie point, transformation, GeoKeys
    kGpsFolder,
    0x927C,  // MakerNote
    0xA430,  // CameraOwnerName
    0xA431,  // BodySerialNumber
    0xA435,  // LensSerialNumber
    0xC62F,  // CameraSerialNumber (DNG)
    0xC634,  // DNGPrivateData: maker notes, moved
    0xC65D,  // RawDataUniqueID (DNG)
    0xFDE8,  // OwnerName (Adobe)
    0xFDE9,  // SerialNumber (Adobe)
};

// Pieces of another picture in the block: where they begin, how long they are.
struct DataTags {
  std::uint16_t at, size;
};
constexpr std::array<DataTags, 3> kData{{{kThumbnailAt, 0x0202}, {0x0111, 0x0117}, {0x0144, 0x0145}}};

struct Range {
  std::uint64_t at = 0, size = 0;
};

constexpr std::uint64_t kCostOfRange = 64;  // in bytes: a thumbnail of two costs a look as well

class ExifCopy {
 public:
  ExifCopy(std::string_view exif, unsigned depth)
      : in_(exif), tiff_(exif), out_(exif.size(), '\0'), depth_(depth), budget_(kMostCopies * exif.size()) {}

  // False: nothing of it can be trusted.
  bool run() {
    if (!tiff_.is_tiff() || !keep_folder(tiff_.u32(4))) return false;
    // what was taken out wins over values that claim the same bytes, but not over the folders
    for (const Range& gone : gone_) std::fill_n(&out_[static_cast<std::size_t>(gone.at)], gone.size, '\0');
    for (const auto& [at, folder] : folders_) put(at, folder);
    put(0, in_.substr(0, Tiff::kHeaderBytes));
    return !is_spent_;
  }
  std::string take() { return std::move(out_); }

 private:
  bool keep_folder(std::uint32_t at);
  bool keep_entry(const Tiff::Entry& entry);
  bool keep_value(const Tiff::Entry& entry);
  // Tags of data that is not where they say.
  std::set<std::uint16_t> keep_data(const std::vector<Tiff::Entry>& entries);
  bool keep_thumbnail(const Range& range);
  void drop(const Tiff::Entry& entry);
  void put(std::uint64_t at, std::string_view bytes) { bytes.copy(&out_[static_cast<std::size_t>(at)], bytes.size()); }
  bool pay(std::uint64_t bytes) {
    is_spent_ = is_spent_ || bytes > budget_;
    if (!is_spent_) budget_ -= bytes;
    return !is_spent_;
  }
  std::string_view in_;
  Tiff tiff_;
  std::string out_;
  unsigned depth_;
  std::uint64_t budget_;
  bool is_spent_ = false;
  std::set<std::uint32_t> seen_ = {};
  std::set<std::uint32_t> dropped_ = {};                             // GPS folders
  std::vector<std::pair<std::uint32_t, std::string>> folders_ = {};  // as they shall be
  std::vector<Range> gone_ = {};
};

bool ExifCopy::keep_value(const Tiff::Entry& entry) {
  if (entry.size_bytes == 0 && entry.count > 0) return false;  // of an unknown type
  if (entry.is_inside) return true;
  if (!tiff_.has(entry.at, entry.size_bytes) || !pay(entry.size_bytes)) return false;
  const std::string_view value = tiff_.bytes(entry.at, entry.size_bytes);
  if (entry.tag == kXmp) {
    put(entry.at, stripped_xmp(value, StripMode::kGps));
  } else if (entry.tag == kPhotoshop) {
    put(entry.at, stripped_photoshop(value, StripMode::kGps, depth_ + 1));
  } else {
    put(entry.at, value);
  }
  return true;
}

bool ExifCopy::keep_entry(const Tiff::Entry& entry) {
  if (std::find(kSecrets.begin(), kSecrets.end(), entry.tag) != kSecrets.end()) {
    drop(entry);
    return false;
  }
  if (!keep_value(entry)) return false;
  const bool is_folder = std::find(kFolders.begin(), kFolders.end(), entry.tag) != kFolders.end();
  if (is_folder) return entry.count == 1 && keep_folder(tiff_.value(entry, 0));
  if (entry.tag != kSubfolders) return true;
  if (entry.count > kMostSubfolders) return false;
  for (std::uint32_t n = 0; n < entry.count; ++n) {
    if (!keep_folder(tiff_.value(entry, n))) return false;
  }
  return true;
}

// Its value, and if it leads to the GPS folder, that and the values of it.
void ExifCopy::drop(const Tiff::Entry& entry) {
  const auto note = [this](const Range& range) {
    if (range.size > 0 && tiff_.has(range.at, range.size) && pay(range.size)) gone_.push_back(range);
  };
  if (!entry.is_inside) note({entry.at, entry.size_bytes});
  if (entry.tag != kGpsFolder || entry.count != 1) return;
  const std::uint32_t folder = tiff_.value(entry, 0);
  if (!tiff_.has(folder, 2) || !dropped_.insert(folder).second) return;
  const std::uint64_t count = tiff_.u16(folder);
  if (!pay(count * Tiff::kEntryBytes)) return;  // before the walk: thousands of entries may lead to one folder
  std::uint64_t at = folder + 2;
  for (std::uint64_t i = 0; i < count && tiff_.has(at, Tiff::kEntryBytes); ++i, at += Tiff::kEntryBytes) {
    const Tiff::Entry position = tiff_.entry(at);
    if (!position.is_inside) note({position.at, position.size_bytes});
  }
  note({folder, at - folder});
}

bool ExifCopy::keep_thumbnail(const Range& range) {
  std::string thumbnail(tiff_.bytes(range.at, range.size));
  if (depth_ + 1 >= limits::kStripDepth) return false;
  Pieces pieces(thumbnail);
  StripEdits edits(pieces);
  const Status done = strip_jpeg({pieces, edits, StripMode::kGps, depth_ + 1}, 0);
  const StripPlan plan = edits.take();
  if (!done || !plan.unread.empty()) return false;
  apply_patches(plan, thumbnail);
  put(range.at, thumbnail);
  return true;
}

std::set<std::uint16_t> ExifCopy::keep_data(const std::vector<Tiff::Entry>& entries) {
  std::set<std::uint16_t> bad;
  for (const DataTags& tags : kData) {
    const auto by_tag = [&entries](std::uint16_t tag) {
      return std::find_if(entries.begin(), entries.end(), [tag](const Tiff::Entry& e) { return e.tag == tag; });
    };
    const auto at = by_tag(tags.at), size = by_tag(tags.size);
    if (at == entries.end() && size == entries.end()) continue;
    bool is_good = at != entries.end() && size != entries.end() && at->count == size->count &&
                   tiff_.has(at->at, at->size_bytes) && tiff_.has(size->at, size->size_bytes) && at->size_bytes > 0 &&
                   size->size_bytes > 0;
    for (std::uint32_t n = 0; is_good && n < at->count; ++n) {
      const Range range{tiff_.value(*at, n), tiff_.value(*size, n)};
      is_good = tiff_.has(range.at, range.size) && pay(range.size + kCostOfRange);
      if (!is_good) break;
      if (tags.at == kThumbnailAt && tiff_.bytes(range.at, range.size).starts_with("\xFF\xD8")) {
        is_good = keep_thumbnail(range);
      } else {
        put(range.at, tiff_.bytes(range.at, range.size));
      }
    }
    if (!is_good) bad.insert({tags.at, tags.size});
  }
  return bad;
}

bool ExifCopy::keep_folder(std::uint32_t at) {
  if (at < Tiff::kHeaderBytes || !tiff_.has(at, 2) || seen_.size() >= limits::kExifFolders) return false;
  const std::uint64_t count = tiff_.u16(at);
  const std::uint64_t end = at + 2 + count * Tiff::kEntryBytes;
  if (!tiff_.has(at, end - at) || !seen_.insert(at).second || !pay(end - at)) return false;
  std::vector<Tiff::Entry> entries;
  for (std::uint64_t i = 0; i < count; ++i) entries.push_back(tiff_.entry(at + 2 + i * Tiff::kEntryBytes));
  const std::set<std::uint16_t> bad = keep_data(entries);

  std::string kept;
  for (std::uint64_t i = 0; i < count; ++i) {
    if (bad.contains(entries[i].tag) || !keep_entry(entries[i])) continue;
    kept += tiff_.bytes(at + 2 + i * Tiff::kEntryBytes, Tiff::kEntryBytes);
  }
  std::string folder = tiff_.write16(static_cast<std::uint16_t>(kept.size() / Tiff::kEntryBytes)) + kept;
  if (tiff_.has(end, 4)) {  // the last folder of some writers ends without it
    const std::uint32_t next = tiff_.u32(end);
    folder += tiff_.write32(next != 0 && keep_folder(next) ? next : 0);
  }
  folders_.emplace_back(at, std::move(folder));
  return true;
}

}  // namespace

std::string bare_exif(std::string_view exif) {
  const Tiff tiff(exif);
  std::string out(exif.size(), '\0');
  const std::uint16_t orientation = std::max<std::uint16_t>(tiff.orientation(), 1);
  const std::string bare = std::string(tiff.is_big_endian() ? "MM" : "II") + tiff.write16(42) +
                           tiff.write32(Tiff::kHeaderBytes) + tiff.write16(1) +        // one entry
                           tiff.write16(0x0112) + tiff.write16(3) + tiff.write32(1) +  // Orientation, SHORT
                           tiff.write16(orientation) + tiff.write16(0) + tiff.write32(0);
  if (bare.size() <= out.size()) bare.copy(out.data(), bare.size());
  return out;
}

std::string stripped_exif(std::string_view exif, StripMode mode, unsigned depth) {
  if (mode == StripMode::kAll || depth >= limits::kStripDepth) return bare_exif(exif);
  ExifCopy copy(exif, depth);
  return copy.run() ? copy.take() : bare_exif(exif);
}

}  // namespace cloakroom

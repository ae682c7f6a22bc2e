// strip_png.cc — from chunk to chunk.
#include "media/strip_png.h"

#include <zlib.h>

#include <algorithm>
#include <array>

#include "base/limits.h"
#include "media/big_endian.h"
#include "media/provenance.h"
#include "media/strip_exif.h"
#include "media/strip_jpeg.h"
#include "media/strip_xmp.h"

namespace cloakroom {
namespace {

using std::string_view_literals::operator""sv;  // NOLINT(misc-unused-using-decls): clang-tidy 14 sees no literals

constexpr std::uint64_t kSignature = 8, kHeader = 8, kChecksum = 4;
constexpr std::string_view kXmpKeyword = "XML:com.adobe.xmp";
constexpr std::string_view kRawProfile = "Raw profile type ";
// What a viewer needs; capital letters first are so, too.
constexpr std::array kNeeded{"tRNS"sv, "gAMA"sv, "cHRM"sv, "sRGB"sv, "iCCP"sv, "cICP"sv, "mDCV"sv, "cLLI"sv,
                             "sBIT"sv, "bKGD"sv, "hIST"sv, "pHYs"sv, "acTL"sv, "fcTL"sv, "fdAT"sv};

struct Chunk {
  std::uint64_t at = 0;  // of its length
  std::string type = {};
  std::uint64_t data = 0, size = 0;  // as far as it is there
  bool is_cut = false;
};

unsigned long checksum(unsigned long begun, std::string_view bytes) {
  return crc32(begun, reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uInt>(bytes.size()));
}

Status write_checksum(const StripJob& job, const Chunk& chunk, unsigned long sum) {
  if (chunk.is_cut) return Ok{};
  std::string bytes;
  for (const unsigned shift : {24U, 16U, 8U, 0U}) bytes += static_cast<char>(sum >> shift & 0xFF);
  return job.out.write(chunk.data + chunk.size, bytes);
}

Status put_data(const StripJob& job, const Chunk& chunk, std::string_view before, std::string_view after) {
  if (before == after) return Ok{};
  job.out.replace(chunk.data, before, after);
  return write_checksum(job, chunk, checksum(checksum(0, chunk.type), after));
}

// In its place a comment of spaces.
Status blank(const StripJob& job, const Chunk& chunk) {
  constexpr std::string_view kText = "tEXt", kComment = "Comment\0"sv;
  const std::string keyword(kComment.substr(0, std::min<std::uint64_t>(chunk.size, kComment.size())));
  TRY(job.out.write(chunk.at + 4, kText));
  TRY(job.out.write(chunk.data, keyword));
  TRY(job.out.fill(chunk.data + keyword.size(), chunk.size - keyword.size(), ' '));
  static const std::string spaces(4096, ' ');
  unsigned long sum = checksum(checksum(0, kText), keyword);
  for (std::uint64_t left = chunk.size - keyword.size(); left > 0;) {
    const auto part = static_cast<std::size_t>(std::min<std::uint64_t>(left, spaces.size()));
    sum = checksum(sum, std::string_view(spaces).substr(0, part));
    left -= part;
  }
  return write_checksum(job, chunk, sum);
}

Status strip_exif(const StripJob& job, const Chunk& chunk) {
  if (chunk.size > limits::kStripBlockBytes) return blank(job, chunk);
  TRY_ASSIGN(const std::string before, job.in.copy(chunk.data, static_cast<std::size_t>(chunk.size)));
  return put_data(job, chunk, before, stripped_exif(before, job.mode, job.depth));
}

// Where the text of an uncompressed international text begins; npos.
std::size_t text_of(std::string_view data) {
  const std::size_t flags = data.find('\0');
  if (flags == std::string_view::npos || flags + 2 >= data.size() || data[flags + 1] != 0)
    return std::string_view::npos;
  const std::size_t language = data.find('\0', flags + 3);
  if (language == std::string_view::npos) return language;
  const std::size_t translated = data.find('\0', language + 1);
  return translated == std::string_view::npos ? translated : translated + 1;
}

Status strip_xmp(const StripJob& job, const Chunk& chunk) {
  if (chunk.type != "iTXt" || chunk.size > limits::kStripBlockBytes) return blank(job, chunk);
  TRY_ASSIGN(const std::string before, job.in.copy(chunk.data, static_cast<std::size_t>(chunk.size)));
  const std::size_t text = text_of(before);
  if (text == std::string::npos) return blank(job, chunk);
  return put_data(job, chunk, before,
                  before.substr(0, text) + stripped_xmp(std::string_view(before).substr(text), job.mode));
}

Status strip_text(const StripJob& job, const Chunk& chunk) {
  if (job.mode == StripMode::kAll) return blank(job, chunk);
  constexpr std::size_t kMostKeyword = 79;
  TRY_ASSIGN(const std::string_view head,
             job.in.view(chunk.data, std::min<std::uint64_t>(chunk.size, kMostKeyword + 1)));
  const std::string_view keyword = head.substr(0, head.find('\0'));
  if (keyword == kXmpKeyword) return strip_xmp(job, chunk);
  const bool is_profile = keyword.starts_with(kRawProfile);
  const bool is_colour = is_profile && keyword.substr(kRawProfile.size()).starts_with("ic");  // icc, icm
  return (is_profile && !is_colour) || is_secret_name(keyword) ? blank(job, chunk) : Status(Ok{});
}

Status strip_chunk(const StripJob& job, const Chunk& chunk) {
  if (chunk.type == "eXIf") return strip_exif(job, chunk);
  if (chunk.type == "zxIf") return blank(job, chunk);
  if (chunk.type == "caBX" && job.mode == StripMode::kGps) {
    TRY_ASSIGN(const bool is_secret, has_secret_provenance(job.in, chunk.data, chunk.size));
    return is_secret ? blank(job, chunk) : Status(Ok{});
  }
  if (chunk.type == "tEXt" || chunk.type == "zTXt" || chunk.type == "iTXt") return strip_text(job, chunk);
  const bool is_needed = (chunk.type[0] >= 'A' && chunk.type[0] <= 'Z') ||
                         std::find(kNeeded.begin(), kNeeded.end(), chunk.type) != kNeeded.end();
  return is_needed || job.mode == StripMode::kGps ? Status(Ok{}) : blank(job, chunk);
}

bool is_letter(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

}  // namespace

Status strip_png(const StripJob& job) {
  std::uint64_t at = kSignature;
  while (!job.out.gave_up()) {
    TRY_ASSIGN(const std::string_view head, job.in.view(at, kHeader));
    if (head.size() < kHeader) break;
    Chunk chunk{.at = at, .type = std::string(head.substr(4, 4)), .data = at + kHeader};
    if (!std::all_of(chunk.type.begin(), chunk.type.end(), is_letter)) {
      job.out.give_up("there is no chunk where one should be");
      break;
    }
    const std::uint64_t size = big_endian(head, 0, 4);
    at = chunk.data + size + kChecksum;
    chunk.is_cut = at > job.in.size();
    chunk.size = std::min(size, job.in.size() - chunk.data);
    TRY(strip_chunk(job, chunk));
    if (chunk.type == "IEND") break;
  }
  return strip_behind(job, std::min(at, job.in.size()));
}

}  // namespace cloakroom

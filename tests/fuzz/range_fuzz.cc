// range_fuzz.cc — any Range header: what is answered lies within the object and is no more work than sending it whole.
//
// Input    eight bytes: the size of the object; the rest: the header
#include <cstdint>
#include <cstring>
#include <string>

#include "base/limits.h"
#include "http/range.h"

using namespace cloakroom;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::uint64_t size_bytes = 0;
  if (size < sizeof size_bytes) return 0;
  std::memcpy(&size_bytes, data, sizeof size_bytes);
  const std::string_view header(reinterpret_cast<const char*>(data) + sizeof size_bytes, size - sizeof size_bytes);

  const RangeAnswer answer = parse_range(header, size_bytes);
  const auto* ranges = std::get_if<std::vector<ByteRange>>(&answer);
  if (ranges == nullptr) return 0;
  if (ranges->empty() || ranges->size() > limits::kRanges) BUG("no ranges or too many");
  std::uint64_t left_bytes = size_bytes;
  std::string again = "bytes=";
  for (const ByteRange& range : *ranges) {
    if (range.length == 0 || range.offset >= size_bytes) BUG("range of nothing");
    if (range.length > size_bytes - range.offset) BUG("range beyond the end");
    if (range.length > left_bytes) BUG("ranges are more than the object");
    left_bytes -= range.length;
    const std::string text = content_range(range, size_bytes);
    const std::string first_last = text.substr(6, text.find('/') - 6);
    again += first_last + ",";
  }
  const RangeAnswer second = parse_range(again, size_bytes);
  const auto* same = std::get_if<std::vector<ByteRange>>(&second);
  if (same == nullptr || same->size() != ranges->size()) BUG("Content-Range does not read back");
  for (std::size_t i = 0; i < ranges->size(); ++i) {
    if ((*same)[i].offset != (*ranges)[i].offset || (*same)[i].length != (*ranges)[i].length)
      BUG("Content-Range differs");
  }
  return 0;
}

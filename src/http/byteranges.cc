// byteranges.cc — heads made ahead, so that the length is known before the first byte.
#include "http/byteranges.h"

#include "http/range.h"

namespace cloakroom {
namespace {

Status write_text(ByteSink& sink, const std::string& text) {
  return sink.write(std::as_bytes(std::span(text)));
}

}  // namespace

ByteRanges::ByteRanges(std::span<const ByteRange> ranges, std::uint64_t size_bytes, std::string_view content_type,
                       std::string_view boundary)
    : boundary_(boundary), end_("\r\n--" + boundary_ + "--\r\n") {
  for (const ByteRange& range : ranges) {
    std::string head = "\r\n--" + boundary_ + "\r\nContent-Type: ";
    head.append(content_type).append("\r\nContent-Range: ").append(content_range(range, size_bytes));
    parts_.push_back({head + "\r\n\r\n", range});
  }
}

std::uint64_t ByteRanges::length_bytes() const {
  std::uint64_t length = end_.size();
  for (const Part& part : parts_) length += part.head.size() + part.range.length;
  return length;
}

Status ByteRanges::send(ByteSink& sink, const std::function<Status(const ByteRange&, ByteSink&)>& read) const {
  for (const Part& part : parts_) {
    TRY(write_text(sink, part.head));
    TRY(read(part.range, sink));
  }
  return write_text(sink, end_);
}

}  // namespace cloakroom

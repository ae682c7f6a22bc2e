// byteranges.h — the body of an answer to several ranges: multipart/byteranges. Pure; the bytes come from the caller.
//
// Source   RFC 9110 sections 14.6 and 15.3.7.2; laid out as nginx does for files on disk.
// Shape    for each range CRLF "--boundary" CRLF Content-Type, Content-Range, CRLF CRLF and its bytes; then the end.
// Lifetime nothing is borrowed.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "domain/ports.h"

namespace cloakroom {

class ByteRanges {
 public:
  // REQUIRES: every range lies in the object and is not empty; the boundary must not occur in the bytes.
  ByteRanges(std::span<const ByteRange> ranges, std::uint64_t size_bytes, std::string_view content_type,
             std::string_view boundary);

  std::string content_type() const { return "multipart/byteranges; boundary=" + boundary_; }
  std::uint64_t length_bytes() const;

  // `read` sends one range of the object to the sink.
  Status send(ByteSink& sink, const std::function<Status(const ByteRange&, ByteSink&)>& read) const;

 private:
  struct Part {
    std::string head;
    ByteRange range;
  };
  std::string boundary_, end_;
  std::vector<Part> parts_;
};

}  // namespace cloakroom

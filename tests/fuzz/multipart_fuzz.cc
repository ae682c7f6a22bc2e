// multipart_fuzz.cc — any boundary, any body: parts lie in the body, a cut body is refused, the buffer's border changes
// nothing.
//
// Input    one byte: how the body lies to the border of the buffer; a line: the Content-Type; the rest: the body
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <string>

#include "base/file.h"
#include "base/limits.h"
#include "http/multipart.h"

using namespace cloakroom;

namespace {

// A file that begins with a preamble as long as the buffer, so that the body after it can straddle the border.
class BodyFile {
 public:
  BodyFile() : fd_(::memfd_create("fuzz", MFD_CLOEXEC)) {
    std::string preamble(limits::kCopyBufferBytes - 2, 'x');
    preamble += "\r\n";
    if (!write_all(fd_.get(), std::as_bytes(std::span(preamble)))) BUG("cannot write the preamble");
  }
  void set(std::string_view body) {
    if (::ftruncate(fd_.get(), limits::kCopyBufferBytes) != 0) BUG("cannot truncate");
    const auto written = ::pwrite(fd_.get(), body.data(), body.size(), limits::kCopyBufferBytes);
    if (written != static_cast<ssize_t>(body.size())) BUG("cannot write the body");
    size_bytes_ = limits::kCopyBufferBytes + body.size();
  }
  FileRange from(std::uint64_t offset) const {
    return {.fd = fd_.get(), .offset = offset, .size = size_bytes_ - offset, .path = {}};
  }

 private:
  UniqueFd fd_;
  std::uint64_t size_bytes_ = 0;
};

void check_parts(const std::vector<Part>& parts, const FileRange& range, std::string_view body,
                 const std::string& boundary) {
  if (parts.size() > limits::kParts) BUG("too many parts");
  std::uint64_t free_from = range.offset;
  for (const Part& part : parts) {
    if (part.offset < free_from) BUG("parts overlap or lie before the body");
    free_from = part.offset + part.size_bytes;
    if (free_from > range.offset + range.size || free_from < part.offset) BUG("part reaches beyond the body");
    const std::string_view content = body.substr(part.offset - range.offset, part.size_bytes);
    if (content.find("\r\n--" + boundary + "\r\n") != std::string_view::npos) BUG("delimiter inside a part");
    if (part.filename && part.filename->empty() && part.size_bytes == 0) BUG("empty file input returned");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static BodyFile file;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t line_end = input.find('\n');
  if (line_end == std::string_view::npos || line_end == 0) return 0;
  const auto boundary = multipart_boundary(input.substr(1, line_end - 1));
  if (!boundary) return 0;
  if (boundary->empty() || boundary->size() > limits::kBoundaryBytes || boundary->back() == ' ') BUG("bad boundary");

  const std::string_view body = input.substr(line_end + 1);
  file.set(body);
  const FileRange range = file.from(limits::kCopyBufferBytes);
  const auto parts = parse_multipart(range, *boundary);
  if (!parts && (parts.error().code == Errc::kInternal || parts.error().say.empty())) BUG("no sentence for the client");
  if (parts) {
    check_parts(*parts, range, body, *boundary);
    if (!parts->empty()) {
      FileRange cut = range;
      cut.size = parts->back().offset + parts->back().size_bytes - range.offset;
      if (parse_multipart(cut, *boundary)) BUG("a cut body was taken for a whole one");
    }
  }

  const auto shifted = parse_multipart(file.from(data[0]), *boundary);
  if (shifted.has_value() != parts.has_value()) BUG("the border of the buffer changes the outcome");
  if (!parts) return 0;
  if (shifted->size() != parts->size()) BUG("the border of the buffer changes the parts");
  for (std::size_t i = 0; i < parts->size(); ++i) {
    const Part& a = (*parts)[i];
    const Part& b = (*shifted)[i];
    const bool same = a.offset == b.offset && a.size_bytes == b.size_bytes && a.name == b.name &&
                      a.filename == b.filename && a.content_type == b.content_type;
    if (!same) BUG("the border of the buffer changes a part");
  }
  return 0;
}

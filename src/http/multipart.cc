// multipart.cc — a window that slides over the body file, and the state of the parser: where it stands.
#include "http/multipart.h"

#include <cstring>

#include <algorithm>
#include <utility>

#include "base/encode.h"
#include "base/limits.h"
#include "http/header_params.h"
#include "http/part_headers.h"

namespace cloakroom {
namespace {

constexpr std::string_view kLineEnd = "\r\n";
constexpr std::string_view kHeadersEnd = "\r\n\r\n";
// Of spaces after a boundary. RFC 2046 sets no maximum; nobody sends any.
constexpr std::size_t kPaddingBytes = 256;

Error invalid(std::string say) {
  return refuse(Errc::kInvalid, std::move(say));
}

Error cut() {
  return invalid("the multipart body ends before its last boundary");
}

Error bare_line_feed() {
  return invalid("the lines of a multipart body must end in CRLF");
}

bool is_boundary_char(char c) {
  if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')) return true;
  return c != '\0' && std::string_view("'()+_,-./:=? ").find(c) != std::string_view::npos;
}

std::size_t find_in(std::string_view where, std::string_view what) {
  const void* at = ::memmem(where.data(), where.size(), what.data(), what.size());
  return at == nullptr ? std::string_view::npos : static_cast<std::size_t>(static_cast<const char*>(at) - where.data());
}

// The bytes of the body that are in memory. Positions count from the start of the body.
class Window {
 public:
  explicit Window(const FileRange& body) : body_(body) {}

  // The bytes from `at` on: at least `wanted` of them, fewer only at the end of the body. Valid until the next call.
  Result<std::string_view> from(std::uint64_t at, std::size_t wanted) {
    const std::uint64_t left = body_.size - std::min(at, body_.size);
    const auto least = static_cast<std::size_t>(std::min<std::uint64_t>(wanted, left));
    if (at < start_ || at + least > start_ + loaded_) {
      const std::span<std::byte> buffer = copy_buffer();
      const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), left));
      TRY_ASSIGN(loaded_, read_at(body_.fd, buffer.first(count), body_.offset + at));
      start_ = at;
      if (loaded_ < count) return cut();
    }
    const auto skipped = static_cast<std::size_t>(at - start_);
    return std::string_view(reinterpret_cast<const char*>(copy_buffer().data()), loaded_).substr(skipped);
  }

  std::uint64_t size() const { return body_.size; }

 private:
  FileRange body_;
  std::uint64_t start_ = 0;
  std::size_t loaded_ = 0;
};

struct Delimiter {
  std::uint64_t begin = 0;     // where the content before it ends
  std::uint64_t line_end = 0;  // of the CRLF that ends its line; of the body's end when there is none
  bool last = false;
};

class Parser {
 public:
  Parser(const FileRange& body, std::string_view boundary)
      : window_(body), body_offset_(body.offset), delimiter_("\r\n--" + std::string(boundary)) {}

  Result<std::vector<Part>> run() {
    TRY_ASSIGN(Delimiter here, first_delimiter());
    std::vector<Part> parts;
    for (std::size_t count = 1; !here.last; ++count) {
      if (count > limits::kParts) {
        return refuse(Errc::kTooLarge, "a request may hold at most " + std::to_string(limits::kParts) + " parts");
      }
      std::uint64_t content = 0;
      TRY_ASSIGN(PartHeaders headers, part_headers(here.line_end, content));
      // From two bytes before the content: a part without content may leave out its CRLF (RFC 2046: [CRLF *OCTET]).
      TRY_ASSIGN(here, next_delimiter(content - kLineEnd.size()));
      Part part{.name = std::move(headers.name),
                .filename = std::move(headers.filename),
                .content_type = std::move(headers.content_type),
                .offset = body_offset_ + std::min(content, here.begin),
                .size_bytes = here.begin - std::min(content, here.begin)};
      const bool not_filled_in = part.filename && part.filename->empty() && part.size_bytes == 0;
      if (!not_filled_in) parts.push_back(std::move(part));
    }
    return parts;
  }

 private:
  // The only delimiter that may come without a CRLF before it.
  Result<Delimiter> first_delimiter() {
    const std::string_view bare = std::string_view(delimiter_).substr(kLineEnd.size());
    TRY_ASSIGN(const std::string_view start, window_.from(0, bare.size()));
    if (start.substr(0, bare.size()) == bare) {
      TRY_ASSIGN(const std::optional<Delimiter> found, delimiter_line(0, bare.size()));
      if (found) return *found;
    }
    return next_delimiter(0);
  }

  Result<Delimiter> next_delimiter(std::uint64_t at) {
    for (;;) {
      TRY_ASSIGN(const std::string_view view, window_.from(at, delimiter_.size()));
      if (view.size() < delimiter_.size()) return cut();
      const std::size_t found = find_in(view, delimiter_);
      if (found == std::string_view::npos) {
        at += view.size() - (delimiter_.size() - 1);  // the last bytes may be the head of a delimiter
        continue;
      }
      TRY_ASSIGN(const std::optional<Delimiter> whole, delimiter_line(at + found, delimiter_.size()));
      if (whole) return *whole;
      at += found + kLineEnd.size();
    }
  }

  // The delimiter whose `length` bytes stand at `at`; none when the line goes on with something else.
  Result<std::optional<Delimiter>> delimiter_line(std::uint64_t at, std::size_t length) {
    const std::uint64_t after = at + length;
    TRY_ASSIGN(const std::string_view view, window_.from(after, 2 + kPaddingBytes + kLineEnd.size()));
    Delimiter found{.begin = at, .line_end = after, .last = view.starts_with("--")};
    std::size_t i = found.last ? 2 : 0;
    while (i < view.size() && i < kPaddingBytes && (view[i] == ' ' || view[i] == '\t')) ++i;
    const std::string_view rest = view.substr(i);
    found.line_end += i + std::min(rest.size(), kLineEnd.size());
    if (rest.starts_with(kLineEnd) || (found.last && rest.empty())) return std::optional(found);
    if (rest.starts_with('\n')) return bare_line_feed();
    return std::optional<Delimiter>();
  }

  // `begin` is where the delimiter's line ended. Sets `content` to the first byte after the empty line.
  Result<PartHeaders> part_headers(std::uint64_t begin, std::uint64_t& content) {
    // The CRLF of the delimiter's line is looked at too: a part may have no headers at all.
    const std::uint64_t from = begin - kLineEnd.size();
    constexpr std::size_t kMost = kLineEnd.size() + limits::kPartHeaderBytes + kHeadersEnd.size();
    TRY_ASSIGN(std::string_view view, window_.from(from, kMost));
    view = view.substr(0, kMost);
    const std::size_t end = find_in(view, kHeadersEnd);
    const std::string_view block = view.substr(0, end);
    const std::size_t next_part = find_in(block, delimiter_);
    if (block.substr(0, next_part).find("\n\n") != std::string_view::npos) return bare_line_feed();
    // A delimiter among the headers: they were cut off. (It would pass for a header when the boundary holds a colon.)
    if (next_part != std::string_view::npos) return invalid("the header of a part is cut off");
    if (end == std::string_view::npos) {
      if (from + view.size() == window_.size()) return cut();
      return invalid("the header of a part is longer than " + std::to_string(limits::kPartHeaderBytes) + " bytes");
    }
    content = from + end + kHeadersEnd.size();
    return parse_part_headers(block.substr(std::min(block.size(), kLineEnd.size())));
  }

  Window window_;
  std::uint64_t body_offset_;
  std::string delimiter_;  // with the CRLF before it
};

}  // namespace

Result<std::string> multipart_boundary(std::string_view content_type_header) {
  const std::string_view type = trim_space(content_type_header.substr(0, content_type_header.find(';')));
  if (!ascii_iequal(type, "multipart/form-data")) {
    return refuse(Errc::kUnsupportedType, "send the files as multipart/form-data");
  }
  const Result<HeaderParams> parsed = parse_header_params(content_type_header, QuotedPair::kStandard);
  if (!parsed) return invalid("the Content-Type cannot be read: " + parsed.error().detail);
  const std::string* boundary = parsed->find("boundary");
  if (boundary == nullptr || boundary->empty()) return invalid("the Content-Type has no boundary");
  if (boundary->size() > limits::kBoundaryBytes) {
    return invalid("the boundary is longer than " + std::to_string(limits::kBoundaryBytes) + " characters");
  }
  if (!std::all_of(boundary->begin(), boundary->end(), is_boundary_char) || boundary->back() == ' ') {
    return invalid("the boundary holds a character that RFC 2046 does not allow");
  }
  return *boundary;
}

Result<std::vector<Part>> parse_multipart(const FileRange& body, std::string_view boundary) {
  return Parser(body, boundary).run();
}

}  // namespace cloakroom

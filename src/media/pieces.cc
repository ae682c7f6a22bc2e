// pieces.cc — the window over a file.
#include "media/pieces.h"

#include <algorithm>

#include "base/limits.h"

namespace cloakroom {
namespace {

constexpr std::size_t kReadAhead = 4096;  // headers follow each other; what lies between them is not wanted

}  // namespace

Result<std::string_view> Pieces::view(std::uint64_t offset, std::size_t most) {
  if (offset >= size_) return std::string_view();
  const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(most, size_ - offset));
  if (file_.fd < 0) return memory_.substr(static_cast<std::size_t>(offset), wanted);
  if (most > limits::kStripWindowBytes) BUG("a view larger than its window");
  if (offset < window_at_ || offset + wanted > window_at_ + window_.size()) {
    const std::uint64_t read = std::min<std::uint64_t>(std::max(wanted, kReadAhead), size_ - offset);
    window_.resize(static_cast<std::size_t>(read));
    auto got = read_at(file_.fd, std::as_writable_bytes(std::span(window_)), file_.offset + offset);
    window_.resize(got ? *got : 0);
    if (!got) return std::move(got).error();
    window_at_ = offset;
  }
  return std::string_view(window_).substr(static_cast<std::size_t>(offset - window_at_), wanted);
}

Result<std::string> Pieces::copy(std::uint64_t offset, std::size_t size) {
  std::string out;
  while (out.size() < size) {
    TRY_ASSIGN(const std::string_view part,
               view(offset + out.size(), std::min(size - out.size(), limits::kStripWindowBytes)));
    if (part.empty()) break;
    out += part;
  }
  return out;
}

}  // namespace cloakroom

// pieces.cc — the window over a file.
#include "media/pieces.h"

#include <algorithm>

#include "base/limits.h"

namespace cloakroom {
namespace {

constexpr std::size_t kReadAhead = 4096;  // headers follow each other; what lies between them is not wanted
constexpr std::size_t kLittle = 64;       // of a window: less is filled up
constexpr std::uint64_t kMostPasses = 6, kFreeBytes = 4 << 20;  // usual files are read once, in parts twice

}  // namespace

Status Pieces::work(std::size_t bytes) {
  worked_ += bytes;
  if (worked_ > kMostPasses * size_ + kFreeBytes) return Error{Errc::kTooLarge, "it takes too long to look through"};
  return Ok{};
}

Result<std::string_view> Pieces::run(std::uint64_t offset) {
  const std::uint64_t end = window_at_ + window_.size();
  const bool is_held =
      file_.fd >= 0 && offset >= window_at_ && offset < end && (end - offset >= kLittle || end == size_);
  return view(offset, is_held ? static_cast<std::size_t>(end - offset) : limits::kStripWindowBytes);
}

Result<std::string_view> Pieces::view(std::uint64_t offset, std::size_t most) {
  if (offset >= size_) return std::string_view();
  const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(most, size_ - offset));
  if (file_.fd < 0) return memory_.substr(static_cast<std::size_t>(offset), wanted);
  if (most > limits::kStripWindowBytes) BUG("a view larger than its window");
  if (offset < window_at_ || offset + wanted > window_at_ + window_.size()) {
    const std::uint64_t read = std::min<std::uint64_t>(std::max(wanted, kReadAhead), size_ - offset);
    TRY(work(static_cast<std::size_t>(read)));
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
  TRY(work(static_cast<std::size_t>(offset < size_ ? std::min<std::uint64_t>(size, size_ - offset) : 0)));
  while (out.size() < size) {
    TRY_ASSIGN(const std::string_view part,
               view(offset + out.size(), std::min(size - out.size(), limits::kStripWindowBytes)));
    if (part.empty()) break;
    out += part;
  }
  return out;
}

}  // namespace cloakroom

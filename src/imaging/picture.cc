// picture.cc — reads the head of a file by the one loader that its type may have.
#include "imaging/picture.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "base/limits.h"
#include "imaging/jpeg_scans.h"
#include "imaging/kinds.h"

namespace cloakroom {
namespace {

Result<VipsInput> memory_input(std::span<const std::byte> bytes) {
  VipsInput input(vips_source_new_from_memory(bytes.data(), bytes.size()));
  if (!input) return vips_error_take("open");
  return input;
}

// Milliseconds each frame is shown; browsers take 0 and 10 for 100.
std::uint32_t duration_of(VipsImage* head, std::uint32_t frames) {
  constexpr int kFastest = 10, kInstead = 100;
  int* delays = nullptr;
  int count = 0;
  if (frames < 2 || vips_image_get_typeof(head, "delay") == 0) return 0;
  if (vips_image_get_array_int(head, "delay", &delays, &count) != 0) return 0;
  std::uint64_t all = 0;
  for (const int delay : std::span(delays, static_cast<std::size_t>(count))) {
    all += static_cast<std::uint64_t>(delay <= kFastest ? kInstead : delay);
  }
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(all, std::numeric_limits<std::int32_t>::max()));
}

// What libvips would read these bytes by must be what belongs to their type.
Status check_loader(const VipsInput& input, std::string_view loader) {
  const char* const chosen = vips_foreign_find_load_source(input.get());
  if (chosen == nullptr) return vips_error_take("recognise");
  if (chosen != loader) {
    return Error{Errc::kUndecodable, std::string("the type says otherwise than ") + chosen};
  }
  return Ok{};
}

Error too_large(std::string_view what) {
  return Error{Errc::kUndecodable, "the picture has too many " + std::string(what)};
}

Status check_size(std::uint32_t width, std::uint32_t height, std::uint64_t max_pixels) {
  if (std::max(width, height) > limits::kImageSide) return too_large("pixels in a row or column");
  if (std::uint64_t{width} * height > max_pixels) return too_large("pixels");
  return Ok{};
}

constexpr int kFirstTurned = 5;  // from this orientation on width and height change places

Result<Picture> open_jpeg(std::span<const std::byte> bytes, JpegHead head, std::uint64_t max_pixels) {
  TRY(check_size(head.width, head.height, max_pixels));
  Picture picture{.bytes = bytes, .width = head.width, .height = head.height};
  if (head.orientation >= kFirstTurned) std::swap(picture.width, picture.height);
  picture.has_profile = !head.profile.empty();
  picture.jpeg = std::move(head);
  return picture;
}

Result<Picture> open_bmp(std::span<const std::byte> bytes, std::uint64_t max_pixels) {
  Picture picture{.bytes = bytes};
  TRY_ASSIGN(picture.own, read_bmp(bytes, max_pixels));
  picture.width = picture.own.width;
  picture.height = picture.own.height;
  picture.has_alpha = picture.own.bands == 4;
  return picture;
}

}  // namespace

Result<VipsInput> input_of(const Picture& picture) {
  TRY_ASSIGN(VipsInput input, memory_input(picture.bytes));
  if (picture.jpeg) TRY(check_loader(input, kJpegLoader));  // the others were looked at when they were opened
  return input;
}

Result<Picture> open_picture(std::span<const std::byte> bytes, std::string_view mime_type, std::uint64_t max_pixels) {
  TRY_ASSIGN(const ImageKind kind, kind_of(mime_type));
  if (kind.loader == kOwnReader) return open_bmp(bytes, max_pixels);
  if (kind.loader == kJpegLoader) {
    TRY_ASSIGN(JpegHead head, read_jpeg_head(bytes));
    if (head.has_many_scans && has_more_scans(bytes, limits::kJpegScans)) return too_large("scans");
    if (head.is_plain) return open_jpeg(bytes, std::move(head), max_pixels);
  }
  TRY_ASSIGN(const VipsInput input, memory_input(bytes));
  TRY(check_loader(input, kind.loader));
  const VipsPicture head(vips_image_new_from_source(input.get(), "", "access", VIPS_ACCESS_SEQUENTIAL, nullptr));
  if (!head) return vips_error_take("read the head");
  Picture picture{.bytes = bytes};
  picture.is_drawn = kind.is_drawn;
  picture.width = static_cast<std::uint32_t>(vips_image_get_width(head.get()));
  picture.height = static_cast<std::uint32_t>(vips_image_get_page_height(head.get()));
  TRY(check_size(picture.width, picture.height, max_pixels));
  const std::uint64_t pixels = std::uint64_t{picture.width} * picture.height;
  if (vips_image_get_orientation_swap(head.get()) != 0) std::swap(picture.width, picture.height);
  picture.has_alpha = !kind.is_paper && vips_image_hasalpha(head.get()) != 0;
  picture.has_profile = vips_image_get_typeof(head.get(), VIPS_META_ICC_NAME) != 0;
  const auto pages = static_cast<std::uint32_t>(std::max(1, vips_image_get_n_pages(head.get())));
  if (!kind.can_move && !kind.has_many_pages) return picture;
  if (pages > limits::kImageFramesCounted) return too_large("frames");
  picture.frames = pages;
  if (!kind.can_move) return picture;
  picture.duration_ms = duration_of(head.get(), pages);
  const std::uint64_t most =
      std::clamp<std::uint64_t>(max_pixels / std::max<std::uint64_t>(pixels, 1), 1, limits::kImageFrames);
  picture.kept_frames = static_cast<std::uint32_t>(std::min<std::uint64_t>(pages, most));
  return picture;
}

}  // namespace cloakroom

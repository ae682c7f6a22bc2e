// render.cc — the box, and a saver for each format.
#include "imaging/render.h"

#include <algorithm>
#include <array>
#include <memory>
#include <vector>

#include "base/encode.h"
#include "base/file.h"
#include "base/limits.h"
#include "imaging/confine.h"
#include "imaging/jpeg.h"
#include "imaging/shrink.h"
#include "imaging/webp_chunks.h"

namespace cloakroom {
namespace {

// Measured on 4000x3000 photographs: what the eye cannot tell from more, at half the bytes.
constexpr int kJpegQuality = 80;
constexpr int kWebpQuality = 78;
constexpr int kAvifQuality = 50;
constexpr int kWebpEffort = 4;    // of 6
constexpr int kMovingEffort = 2;  // of 6: frames are many
constexpr int kAvifEffort = 1;    // of 9: the next ones cost a second for some percent of the bytes
constexpr int kGifEffort = 3;     // of 10
constexpr int kPngCompression = 6;

constexpr int kPlaceholderSide = 16;
constexpr std::string_view kDataUri = "data:image/webp;base64,";

struct ArrayDelete {
  void operator()(VipsArrayDouble* array) const noexcept { vips_area_unref(VIPS_AREA(array)); }
};
using Array = std::unique_ptr<VipsArrayDouble, ArrayDelete>;

Box box_of(const Rendering& wanted) {
  const auto side = [](std::uint32_t most) {
    return static_cast<int>(most == 0 ? limits::kRenderedSide : std::min(most, limits::kRenderedSide));
  };
  return {side(wanted.max_width), side(wanted.max_height)};
}

bool moves(const Picture& picture, ImageFormat format) {
  return picture.kept_frames > 1 && (format == ImageFormat::kWebp || format == ImageFormat::kGif);
}

Status flatten_on_white(VipsPicture& picture) {
  if (vips_image_hasalpha(picture.get()) == 0) return Ok{};
  constexpr double kWhite = 255;
  const Array white(vips_array_double_newv(1, kWhite));
  VipsImage* made = nullptr;
  const int failed = vips_flatten(picture.get(), &made, "background", white.get(), nullptr);
  return replace(picture, failed, made, "flatten");
}

struct Bytes {
  std::unique_ptr<void, CDelete<g_free>> owner;
  std::string_view view;
};

Result<Bytes> webp_bytes(VipsImage* in, int quality, int effort) {
  void* bytes = nullptr;
  std::size_t size = 0;
  const int failed = vips_webpsave_buffer(in, &bytes, &size, "Q", quality, "strip", TRUE, "effort", effort, nullptr);
  if (failed != 0) return vips_error_take("write the picture");
  return Bytes{std::unique_ptr<void, CDelete<g_free>>(bytes), {static_cast<const char*>(bytes), size}};
}

Status save_webp(VipsImage* in, int effort, VipsTarget* target) {
  TRY_ASSIGN(const Bytes bytes, webp_bytes(in, kWebpQuality, effort));
  const std::string clean = webp_without_exif(bytes.view);
  if (vips_target_write(target, clean.data(), clean.size()) != 0 || vips_target_end(target) != 0) {
    return vips_error_take("write the picture");
  }
  return Ok{};
}

Status save(VipsPicture& picture, ImageFormat format, VipsTarget* target) {
  VipsImage* const in = picture.get();
  const bool is_moving = vips_image_get_n_pages(in) > 1 && vips_image_get_page_height(in) < vips_image_get_height(in);
  int failed = 0;
  switch (format) {
    case ImageFormat::kJpeg:
      TRY(flatten_on_white(picture));
      failed = vips_jpegsave_target(picture.get(), target, "Q", kJpegQuality, "strip", TRUE, "optimize_coding", TRUE,
                                    nullptr);
      break;
    case ImageFormat::kPng:
      failed = vips_pngsave_target(in, target, "compression", kPngCompression, "strip", TRUE, nullptr);
      break;
    case ImageFormat::kWebp:
      return save_webp(in, is_moving ? kMovingEffort : kWebpEffort, target);
    case ImageFormat::kAvif:
      failed = vips_heifsave_target(in, target, "Q", kAvifQuality, "strip", TRUE, "compression",
                                    VIPS_FOREIGN_HEIF_COMPRESSION_AV1, "bitdepth", 8, "effort", kAvifEffort, nullptr);
      break;
    case ImageFormat::kGif:
      failed = vips_gifsave_target(in, target, "strip", TRUE, "effort", kGifEffort, nullptr);
      break;
  }
  if (failed != 0) return vips_error_take("write the picture");
  return Ok{};
}

// libvips' own saver would start two threads for pixels that are there already.
bool is_ready_for_jpeg(VipsImage* small) {
  const bool is_in_memory = small->dtype == VIPS_IMAGE_SETBUF || small->dtype == VIPS_IMAGE_SETBUF_FOREIGN;
  return is_in_memory && vips_image_hasalpha(small) == 0 && vips_image_get_n_pages(small) <= 1;
}

Status save_jpeg_now(VipsImage* small, int fd) {
  TRY_ASSIGN(const Bitmap pixels, pixels_of(small));
  TRY_ASSIGN(const std::vector<std::byte> made, write_jpeg(pixels, kJpegQuality));
  return write_all(fd, made);
}

}  // namespace

Result<RenderedFacts> render_picture(const Picture& picture, const Rendering& wanted, int fd) {
  TRY_ASSIGN(VipsPicture small, shrink(picture, box_of(wanted), moves(picture, wanted.format)));
  if (picture.is_drawn) {  // now, not while it is written: its limit is for the drawing
    VipsPicture drawn(vips_image_copy_memory(small.get()));
    if (!drawn) return vips_error_take("draw");
    small = std::move(drawn);
    limit_cpu_from_now(std::chrono::seconds(0));
  }
  const RenderedFacts facts{static_cast<std::uint32_t>(vips_image_get_width(small.get())),
                            static_cast<std::uint32_t>(vips_image_get_page_height(small.get())), wanted.format};
  if (wanted.format == ImageFormat::kJpeg && is_ready_for_jpeg(small.get())) {
    TRY(save_jpeg_now(small.get(), fd));
    return facts;
  }
  const VipsOutput output(vips_target_new_to_descriptor(fd));
  if (!output) return vips_error_take("open the target");
  TRY(save(small, wanted.format, output.get()));
  return facts;
}

Result<std::string> placeholder_of(const Picture& picture) {
  TRY_ASSIGN(VipsPicture lazy, shrink(picture, {kPlaceholderSide, kPlaceholderSide}, false));
  TRY(flatten_on_white(lazy));
  const VipsPicture small(vips_image_copy_memory(lazy.get()));
  if (!small) return vips_error_take("shrink");
  for (const int quality : {50, 30, 15, 5, 0}) {
    TRY_ASSIGN(const Bytes bytes, webp_bytes(small.get(), quality, kWebpEffort));
    const std::string text = std::string(kDataUri) + base64_encode(webp_without_exif(bytes.view));
    if (text.size() <= limits::kPlaceholderBytes) return text;
  }
  return std::string();
}

}  // namespace cloakroom

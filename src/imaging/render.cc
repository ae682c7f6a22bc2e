// render.cc — libvips' thumbnailer, which decodes no more than it needs, and a saver for each format.
#include "imaging/render.h"

#include <algorithm>
#include <array>
#include <memory>

#include "base/encode.h"
#include "base/limits.h"
#include "imaging/confine.h"
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

struct Box {
  int width, height;
};

Box box_of(const Rendering& wanted) {
  const auto side = [](std::uint32_t most) {
    return static_cast<int>(most == 0 ? limits::kRenderedSide : std::min(most, limits::kRenderedSide));
  };
  return {side(wanted.max_width), side(wanted.max_height)};
}

bool moves(const Picture& picture, ImageFormat format) {
  return picture.kept_frames > 1 && (format == ImageFormat::kWebp || format == ImageFormat::kGif);
}

// Takes what a step has made in place of what it was made from.
Status replace(VipsPicture& picture, int failed, VipsImage* made, std::string_view step) {
  if (failed != 0) return vips_error_take(step);
  picture.reset(made);
  return Ok{};
}

Status to_srgb(VipsPicture& picture) {
  const VipsInterpretation now = vips_image_get_interpretation(picture.get());
  const bool is_grey = now == VIPS_INTERPRETATION_B_W;
  VipsImage* made = nullptr;
  if (!is_grey && now != VIPS_INTERPRETATION_sRGB) {
    const int failed = vips_colourspace(picture.get(), &made, VIPS_INTERPRETATION_sRGB, nullptr);
    TRY(replace(picture, failed, made, "convert colours"));
  }
  if (vips_image_get_format(picture.get()) == VIPS_FORMAT_UCHAR) return Ok{};
  const int failed = vips_cast_uchar(picture.get(), &made, nullptr);
  return replace(picture, failed, made, "convert to 8 bits");
}

// All but what frames are shown by. A saver's "strip" leaves the colour profile (7 kB), and webpsave makes EXIF of what
// it finds; what has no profile is taken for sRGB, which it is by now.
Status drop_metadata(VipsPicture& picture) {
  constexpr std::array<std::string_view, 4> kKept{"delay", "loop", "page-height", "n-pages"};
  VipsImage* made = nullptr;
  const int failed = vips_copy(picture.get(), &made, nullptr);
  TRY(replace(picture, failed, made, "copy"));
  const std::unique_ptr<char*, CDelete<g_strfreev>> names(vips_image_get_fields(picture.get()));
  for (char** name = names.get(); *name != nullptr; ++name) {
    if (std::find(kKept.begin(), kKept.end(), *name) == kKept.end()) vips_image_remove(picture.get(), *name);
  }
  return Ok{};
}

Result<VipsPicture> shrink_own(const Bitmap& own, Box box) {
  const VipsPicture raw(vips_image_new_from_memory(own.pixels.data(), own.pixels.size(), static_cast<int>(own.width),
                                                   static_cast<int>(own.height), static_cast<int>(own.bands),
                                                   VIPS_FORMAT_UCHAR));
  if (!raw) return vips_error_take("take the pixels");
  VipsImage* made = nullptr;
  if (vips_copy(raw.get(), &made, "interpretation", VIPS_INTERPRETATION_sRGB, nullptr) != 0) {
    return vips_error_take("take the pixels");
  }
  const VipsPicture whole(made);
  if (vips_thumbnail_image(whole.get(), &made, box.width, "height", box.height, "size", VIPS_SIZE_DOWN, nullptr) != 0) {
    return vips_error_take("shrink");
  }
  return VipsPicture(made);
}

Result<VipsPicture> shrink(const Picture& picture, Box box, bool all_frames) {
  if (!picture.own.pixels.empty()) return shrink_own(picture.own, box);
  TRY_ASSIGN(const VipsInput input, input_of(picture));
  // A file that was cut off is broken, whatever could still be seen of it; lesser faults are for the decoder to mend.
  // (8.14 does not hand its own argument fail_on to loaders of sources.)
  std::string options = "fail_on=truncated";
  if (all_frames) options += ",n=" + std::to_string(picture.kept_frames);
  VipsImage* made = nullptr;
  // What has no profile is not sent through one: that moved the blue of plain sRGB by 50 of 255.
  const int failed =
      picture.has_profile
          ? vips_thumbnail_source(input.get(), &made, box.width, "height", box.height, "size", VIPS_SIZE_DOWN,
                                  "option_string", options.c_str(), "export_profile", "srgb", nullptr)
          : vips_thumbnail_source(input.get(), &made, box.width, "height", box.height, "size", VIPS_SIZE_DOWN,
                                  "option_string", options.c_str(), nullptr);
  if (failed != 0) return vips_error_take("shrink");
  VipsPicture small(made);
  TRY(to_srgb(small));
  TRY(drop_metadata(small));
  return small;
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

}  // namespace

Result<RenderedFacts> render_picture(const Picture& picture, const Rendering& wanted, int fd) {
  TRY_ASSIGN(VipsPicture small, shrink(picture, box_of(wanted), moves(picture, wanted.format)));
  if (picture.is_drawn) {  // now, not while it is written: its limit is for the drawing
    VipsPicture drawn(vips_image_copy_memory(small.get()));
    if (!drawn) return vips_error_take("draw");
    small = std::move(drawn);
    limit_cpu_from_now(std::chrono::seconds(0));
  }
  const VipsOutput output(vips_target_new_to_descriptor(fd));
  if (!output) return vips_error_take("open the target");
  const RenderedFacts facts{static_cast<std::uint32_t>(vips_image_get_width(small.get())),
                            static_cast<std::uint32_t>(vips_image_get_page_height(small.get())), wanted.format};
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

// shrink.cc — libvips' thumbnailer, which decodes no more than it needs; before it, for JPEG, libjpeg.
#include "imaging/shrink.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <string>

#include "imaging/jpeg.h"

namespace cloakroom {
namespace {

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

VipsPicture coloured(VipsImage* made, unsigned bands) {
  if (made != nullptr) made->Type = bands == 1 ? VIPS_INTERPRETATION_B_W : VIPS_INTERPRETATION_sRGB;
  return VipsPicture(made);
}

// Borrows the pixels.
Result<VipsPicture> view_of(const Bitmap& pixels) {
  VipsPicture made = coloured(
      vips_image_new_from_memory(pixels.pixels.data(), pixels.pixels.size(), static_cast<int>(pixels.width),
                                 static_cast<int>(pixels.height), static_cast<int>(pixels.bands), VIPS_FORMAT_UCHAR),
      pixels.bands);
  if (!made) return vips_error_take("take the pixels");
  return made;
}

Result<VipsPicture> copy_of(const Bitmap& pixels) {
  VipsPicture made = coloured(vips_image_new_from_memory_copy(
                                  pixels.pixels.data(), pixels.pixels.size(), static_cast<int>(pixels.width),
                                  static_cast<int>(pixels.height), static_cast<int>(pixels.bands), VIPS_FORMAT_UCHAR),
                              pixels.bands);
  if (!made) return vips_error_take("take the pixels");
  return made;
}

// What has no profile is not sent through one: that moved the blue of plain sRGB by 50 of 255.
Result<VipsPicture> shrink_whole(VipsImage* whole, Box box, bool has_profile) {
  VipsImage* made = nullptr;
  const int failed = has_profile ? vips_thumbnail_image(whole, &made, box.width, "height", box.height, "size",
                                                        VIPS_SIZE_DOWN, "export_profile", "srgb", nullptr)
                                 : vips_thumbnail_image(whole, &made, box.width, "height", box.height, "size",
                                                        VIPS_SIZE_DOWN, nullptr);
  if (failed != 0) return vips_error_take("shrink");
  return VipsPicture(made);
}

// libjpeg leaves out the detail that nobody will see; a factor of two at least is left to libvips, which does it
// better. Not for less than four: the pixels would take more memory than libvips' lines.
std::optional<JpegShrink> jpeg_shrink_of(const Picture& picture, Box box) {
  if (!picture.jpeg) return std::nullopt;
  const double factor =
      std::max(static_cast<double>(picture.width) / box.width, static_cast<double>(picture.height) / box.height);
  if (factor >= 16) return JpegShrink::kEighth;
  if (factor >= 8) return JpegShrink::kQuarter;
  if (factor >= 4) return JpegShrink::kHalf;
  return std::nullopt;
}

Result<VipsPicture> shrink_jpeg(const Picture& picture, JpegShrink by, Box box) {
  TRY_ASSIGN(const Bitmap half_way, read_jpeg(picture.bytes, by));
  TRY_ASSIGN(const VipsPicture whole, view_of(half_way));
  const JpegHead& head = *picture.jpeg;
  vips_image_set_int(whole.get(), VIPS_META_ORIENTATION, head.orientation);
  if (picture.has_profile) {
    vips_image_set_blob_copy(whole.get(), VIPS_META_ICC_NAME, head.profile.data(), head.profile.size());
  }
  TRY_ASSIGN(VipsPicture small, shrink_whole(whole.get(), box, picture.has_profile));
  TRY(to_srgb(small));
  TRY_ASSIGN(const Bitmap pixels, pixels_of(small.get()));
  return copy_of(pixels);
}

Result<VipsPicture> shrink_own(const Bitmap& own, Box box) {
  TRY_ASSIGN(const VipsPicture whole, view_of(own));
  return shrink_whole(whole.get(), box, false);
}

}  // namespace

// Takes what a step has made in place of what it was made from.
Status replace(VipsPicture& picture, int failed, VipsImage* made, std::string_view step) {
  if (failed != 0) return vips_error_take(step);
  picture.reset(made);
  return Ok{};
}

Result<VipsPicture> shrink(const Picture& picture, Box box, bool all_frames) {
  if (!picture.own.pixels.empty()) return shrink_own(picture.own, box);
  if (const auto by = jpeg_shrink_of(picture, box)) return shrink_jpeg(picture, *by, box);
  TRY_ASSIGN(const VipsInput input, input_of(picture));
  // A file that was cut off is broken, whatever could still be seen of it; lesser faults are for the decoder to mend.
  // (8.14 does not hand its own argument fail_on to loaders of sources.)
  std::string options = "fail_on=truncated";
  if (all_frames) options += ",n=" + std::to_string(picture.kept_frames);
  VipsImage* made = nullptr;
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

Result<Bitmap> pixels_of(VipsImage* picture) {
  const VipsRect all{0, 0, vips_image_get_width(picture), vips_image_get_height(picture)};
  const std::unique_ptr<VipsRegion, CDelete<g_object_unref>> region(vips_region_new(picture));
  if (!region || vips_region_prepare(region.get(), &all) != 0) return vips_error_take("shrink");
  Bitmap out{static_cast<std::uint32_t>(all.width),
             static_cast<std::uint32_t>(all.height),
             static_cast<unsigned>(vips_image_get_bands(picture)),
             {}};
  const std::size_t row_bytes = std::size_t{out.width} * out.bands;
  out.pixels.resize(row_bytes * out.height);
  for (int y = 0; y < all.height; ++y) {
    std::memcpy(out.pixels.data() + row_bytes * static_cast<std::size_t>(y), VIPS_REGION_ADDR(region.get(), 0, y),
                row_bytes);
  }
  return out;
}

}  // namespace cloakroom

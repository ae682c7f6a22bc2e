// config_variants.cc — boxes and formats, as they are written.
#include "base/config_variants.h"

#include <algorithm>

#include "base/encode.h"
#include "base/limits.h"

namespace cloakroom {
namespace {

constexpr std::size_t kNameBytes = 32;

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= kNameBytes && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

// Empty text: free.
std::optional<std::uint32_t> parse_side(std::string_view text) {
  if (text.empty()) return 0;
  const auto number = parse_u64(text);
  if (!number || *number == 0 || *number > limits::kVariantSide) return std::nullopt;
  return static_cast<std::uint32_t>(*number);
}

std::optional<VariantSetting> parse_item(std::string_view item) {
  const std::size_t colon = item.find(':');
  if (colon == std::string_view::npos || !is_name(item.substr(0, colon))) return std::nullopt;
  const std::string_view box = item.substr(colon + 1);
  const std::size_t by = box.find('x');
  const auto width = parse_side(box.substr(0, by));
  const auto height = by == std::string_view::npos ? std::optional<std::uint32_t>(0) : parse_side(box.substr(by + 1));
  if (!width || !height || (*width == 0 && *height == 0)) return std::nullopt;
  if (by != std::string_view::npos && by + 1 == box.size()) return std::nullopt;  // "400x": a side was forgotten
  return VariantSetting{std::string(item.substr(0, colon)), *width, *height};
}

}  // namespace

void read_variants(Reader& in, Config& config) {
  std::string list = in.text("VARIANTS");
  std::replace(list.begin(), list.end(), ' ', ',');
  for (const std::string_view item : split(list, ',')) {
    if (item == "none") continue;
    auto variant = parse_item(item);
    if (!variant) {
      in.problem(
          "VARIANTS",
          fmt::format("'{}' is not a size such as thumb:250, preview:400x300 or strip:x80 (a name of a-z, 0-9, - "
                      "and _, at most {} long; pixels from 1 to {})",
                      item, kNameBytes, limits::kVariantSide));
      continue;
    }
    const bool is_twice = std::any_of(config.variants.begin(), config.variants.end(),
                                      [&](const VariantSetting& v) { return v.name == variant->name; });
    if (is_twice) in.problem("VARIANTS", fmt::format("'{}' is there twice", variant->name));
    config.variants.push_back(*std::move(variant));
  }
  if (config.variants.size() > limits::kVariantSizes) {
    in.problem("VARIANTS", fmt::format("has more than {} sizes", limits::kVariantSizes));
  }
  const std::string formats = in.text("VARIANT_FORMATS");
  for (const std::string_view format : split(formats, ',')) {
    if (format == "none") continue;
    if (format != "avif" && format != "webp") {
      in.problem(
          "VARIANT_FORMATS",
          fmt::format("'{}' is neither avif nor webp (JPEG and PNG are always there; `none`: these alone)", format));
    }
    config.variant_formats.emplace_back(format);
  }
}

}  // namespace cloakroom

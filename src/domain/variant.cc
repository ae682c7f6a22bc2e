// variant.cc — the words for formats, and the variant that looks like a file.
#include "domain/variant.h"

#include "domain/pictures.h"

namespace cloakroom {
namespace {

std::string_view extension_for(std::string_view mime_type) {
  if (mime_type == "image/jpeg") return "jpg";
  return mime_type.substr(mime_type.find('/') + 1);
}

}  // namespace

std::string_view to_string(VariantFormat format) {
  switch (format) {
    case VariantFormat::kPlain:
      return "plain";
    case VariantFormat::kWebp:
      return "webp";
    case VariantFormat::kAvif:
      return "avif";
  }
  BUG("unknown variant format");
}

std::optional<VariantFormat> parse_variant_format(std::string_view word) {
  if (word == "plain") return VariantFormat::kPlain;
  if (word == "webp") return VariantFormat::kWebp;
  if (word == "avif") return VariantFormat::kAvif;
  return std::nullopt;
}

std::string_view mime_type_of(ImageFormat format) {
  switch (format) {
    case ImageFormat::kJpeg:
      return "image/jpeg";
    case ImageFormat::kPng:
      return "image/png";
    case ImageFormat::kWebp:
      return "image/webp";
    case ImageFormat::kAvif:
      return "image/avif";
    case ImageFormat::kGif:
      return "image/gif";
  }
  BUG("unknown image format");
}

bool suits(VariantFormat format, const Attachment& original) {
  return format != VariantFormat::kAvif || original.frames.value_or(1) <= 1 || !may_move(original.mime_type);
}

Attachment as_file(const Variant& variant, const Attachment& original) {
  Attachment a;
  a.id = original.id;
  a.status = original.status;
  const std::string extension = extension_of(original.filename);
  std::string_view stem = original.filename;
  if (!extension.empty()) stem.remove_suffix(extension.size() + 1);
  a.filename.append(stem).append("-").append(variant.id.name).append(".").append(extension_for(variant.mime_type));
  a.mime_type = variant.mime_type;
  a.size_bytes = variant.size_bytes;
  a.sha256 = variant.sha256;
  a.store = variant.store;
  a.key = variant.key;
  a.width = variant.width;
  a.height = variant.height;
  a.created_at = variant.created_at;
  return a;
}

}  // namespace cloakroom

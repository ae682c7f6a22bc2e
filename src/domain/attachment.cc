// attachment.cc — the words for states and kinds, and what is derived from name and type.
#include "domain/attachment.h"

#include "base/encode.h"

namespace cloakroom {

std::string_view to_string(AttachmentStatus status) {
  switch (status) {
    case AttachmentStatus::kUploaded:
      return "uploaded";
    case AttachmentStatus::kLinked:
      return "linked";
    case AttachmentStatus::kQuarantined:
      return "quarantined";
  }
  BUG("unknown status");
}

std::string_view to_string(StoreKind kind) {
  switch (kind) {
    case StoreKind::kLocal:
      return "local";
    case StoreKind::kS3:
      return "s3";
    case StoreKind::kS3Secondary:
      return "s3-secondary";
  }
  BUG("unknown store");
}

std::optional<AttachmentStatus> parse_attachment_status(std::string_view text) {
  if (text == "uploaded") return AttachmentStatus::kUploaded;
  if (text == "linked") return AttachmentStatus::kLinked;
  if (text == "quarantined") return AttachmentStatus::kQuarantined;
  return std::nullopt;
}

std::optional<StoreKind> parse_store_kind(std::string_view text) {
  if (text == "local") return StoreKind::kLocal;
  if (text == "s3") return StoreKind::kS3;
  if (text == "s3-secondary") return StoreKind::kS3Secondary;
  return std::nullopt;
}

std::optional<std::string> to_word(Picture picture) {
  switch (picture) {
    case Picture::kUnknown:
      return std::nullopt;
    case Picture::kOpaque:
      return "opaque";
    case Picture::kAlpha:
      return "alpha";
    case Picture::kNone:
      return "none";
  }
  BUG("unknown picture");
}

Picture parse_picture(const std::optional<std::string>& word) {
  if (word == "opaque") return Picture::kOpaque;
  if (word == "alpha") return Picture::kAlpha;
  return word == "none" ? Picture::kNone : Picture::kUnknown;
}

std::string_view file_type(std::string_view mime_type) {
  if (mime_type.starts_with("image/")) return "image";
  if (mime_type.starts_with("video/")) return "video";
  if (mime_type.starts_with("audio/")) return "audio";
  return "file";
}

std::string extension_of(std::string_view filename) {
  const std::size_t dot = filename.rfind('.');
  if (dot == std::string_view::npos || dot == 0 || filename.size() - dot > 17) return {};
  return ascii_lower(filename.substr(dot + 1));
}

}  // namespace cloakroom

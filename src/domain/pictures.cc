// pictures.cc — the Imager's answer, as the row has it.
#include "domain/pictures.h"

#include <algorithm>
#include <array>

#include "base/log.h"

namespace cloakroom {
namespace {

using std::string_view_literals::operator""sv;  // NOLINT(misc-unused-using-decls): clang-tidy 14 sees no literals

// Those of imaging/kinds.cc and film_kinds.cc (a test compares them): who asks about others fetches a file for nothing.
constexpr std::array kPictureTypes{
    "image/jpeg"sv, "image/png"sv, "image/apng"sv, "image/vnd.mozilla.apng"sv, "image/gif"sv, "image/webp"sv,
    "image/avif"sv, "image/heic"sv, "image/heif"sv, "image/tiff"sv, "image/bmp"sv, "image/x-ms-bmp"sv,
    "image/svg+xml"sv, "application/pdf"sv,
    // films, and sounds, which are drawn
    "video/mp4"sv, "video/x-m4v"sv, "video/quicktime"sv, "video/3gpp"sv, "video/3gpp2"sv, "video/webm"sv,
    "video/x-matroska"sv, "video/ogg"sv, "video/x-msvideo"sv, "video/vnd.avi"sv, "video/mpeg"sv, "video/x-flv"sv,
    "video/x-ms-asf"sv, "audio/mp4"sv, "audio/x-m4a"sv, "audio/3gpp"sv, "audio/webm"sv, "audio/x-matroska"sv,
    "audio/ogg"sv, "audio/mpeg"sv, "audio/aac"sv, "audio/x-hx-aac-adts"sv, "audio/flac"sv, "audio/x-flac"sv,
    "audio/wav"sv, "audio/x-wav"sv, "audio/vnd.wave"sv, "audio/x-aiff"sv, "audio/amr"sv, "audio/AMR"sv};

std::optional<std::uint32_t> unless_none(std::uint32_t number) {
  return number > 0 ? std::optional(number) : std::nullopt;
}

}  // namespace

bool may_have_picture(std::string_view mime_type) {
  return std::find(kPictureTypes.begin(), kPictureTypes.end(), mime_type) != kPictureTypes.end();
}

bool may_move(std::string_view mime_type) {
  return mime_type == "image/gif" || mime_type == "image/webp";
}

std::span<const std::string_view> picture_types() {
  return kPictureTypes;
}

bool is_verdict(const Error& error) {
  return error.code == Errc::kUndecodable && !error.retryable;
}

bool is_death(const Error& error) {
  return error.code == Errc::kUndecodable && error.retryable;
}

void look_at_picture(Imager& imager, const FileRange& bytes, Attachment& a) {
  [[maybe_unused]] const Status looked = learn_of_picture(imager, bytes, a);
}

Status learn_of_picture(Imager& imager, const FileRange& bytes, Attachment& a) {
  if (bytes.size == 0 || !may_have_picture(a.mime_type)) return Ok{};
  const auto facts = imager.probe(bytes, a.mime_type);
  if (!facts) {
    const bool is_broken = is_verdict(facts.error());
    if (is_broken) a.picture = Picture::kNone;
    a.wants_variants = !is_broken && facts.error().code != Errc::kUnsupportedType;
    if (facts.error().code == Errc::kUnsupportedType) return facts.error();
    log(Level::kInfo, is_broken ? "picture.refused" : "picture.not_looked_at",
        {{"id", to_string(a.id)}, {"type", a.mime_type}, {"detail", facts.error().detail}});
    return facts.error();
  }
  a.width = unless_none(facts->width);
  a.height = unless_none(facts->height);
  a.frames = a.width ? unless_none(facts->frames) : std::nullopt;
  a.duration_ms = unless_none(facts->duration_ms);
  a.picture = facts->has_alpha ? Picture::kAlpha : Picture::kOpaque;
  if (!facts->placeholder.empty()) a.placeholder = facts->placeholder;
  a.wants_variants = true;
  return Ok{};
}

}  // namespace cloakroom

// media_type.cc — the list of types that may be shown, each with the reason it may.
#include "http/media_type.h"

#include <algorithm>
#include <array>

#include "base/encode.h"
#include "http/header_params.h"

namespace cloakroom {
namespace {

// An answer that carries a file also has nosniff and a sandboxing policy, but this list must be safe without them.
constexpr std::array kInlineSafe = std::to_array<std::string_view>({
    // Raster images that browsers draw themselves: no scripts, no links, no outside references. bmp and ico belong
    // to them; tiff and heic do not, most browsers would save them anyway. svg is a document with scripts.
    "image/png", "image/apng", "image/jpeg", "image/gif", "image/webp", "image/avif", "image/bmp", "image/x-ms-bmp",
    "image/vnd.microsoft.icon", "image/x-icon",
    // Sound and films that browsers play. Named one by one, since audio/* also holds playlists (audio/x-mpegurl,
    // audio/x-scpls), which make a player fetch addresses of the uploader's choice.
    "audio/mpeg", "audio/mp4", "audio/x-m4a", "audio/aac", "audio/x-hx-aac-adts", "audio/ogg", "audio/opus",
    "audio/webm", "audio/wav", "audio/x-wav", "audio/vnd.wave", "audio/flac", "audio/x-flac", "video/mp4",
    "video/x-m4v", "video/webm", "video/ogg", "video/quicktime",
    // No current browser makes HTML of declared plain text.
    "text/plain",
    // Not application/pdf: a PDF may hold scripts, forms and links, and the sandboxing policy that disarms them keeps
    // the viewer built into Chrome from starting. Saving it works everywhere.
});

// JavaScript's names (WHATWG MIME Sniffing section 4.6) end in one of these; browsers run any of them.
constexpr std::array kScriptEndings = std::to_array<std::string_view>(
    {"javascript", "ecmascript", "jscript", "livescript", "javascript1.0", "javascript1.1", "javascript1.2",
     "javascript1.3", "javascript1.4", "javascript1.5"});

// RFC 6838 section 4.2: restricted-name.
bool is_restricted_name(std::string_view name) {
  const auto alnum = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z'); };
  if (name.empty() || name.size() > 127 || !alnum(name.front())) return false;
  return std::all_of(name.begin(), name.end(), [&](char c) {
    return alnum(c) || (c != '\0' && std::string_view("!#$&-^_.+").find(c) != std::string_view::npos);
  });
}

}  // namespace

std::string canonical_mime(std::string_view mime_type) {
  std::string plain = ascii_lower(trim_space(mime_type.substr(0, mime_type.find(';'))));
  const std::string_view view = plain;
  const std::size_t slash = view.find('/');
  const bool whole = slash != std::string_view::npos && is_restricted_name(view.substr(0, slash)) &&
                     is_restricted_name(view.substr(slash + 1));
  return whole ? plain : "application/octet-stream";
}

std::string sent_type(std::string_view mime_type) {
  const std::string type = canonical_mime(mime_type);
  const bool is_script = std::any_of(kScriptEndings.begin(), kScriptEndings.end(),
                                     [&](std::string_view ending) { return type.ends_with(ending); });
  if (is_script || type == "text/css") return "text/plain";
  if (type == "application/wasm" || type.starts_with("multipart/")) return "application/octet-stream";
  return std::string(mime_type);
}

bool is_inline_safe(std::string_view mime_type) {
  return std::find(kInlineSafe.begin(), kInlineSafe.end(), canonical_mime(mime_type)) != kInlineSafe.end();
}

}  // namespace cloakroom

// media_type.h — media types by name: a plain form to compare, and which of them a browser may show. Pure.
#pragma once

#include <string>
#include <string_view>

namespace cloakroom {

// "Image/PNG; q=1" -> "image/png"; "application/octet-stream" for what is not type/subtype by RFC 6838 section 4.2.
std::string canonical_mime(std::string_view mime_type);

// Whether a file of this type may be shown where it is opened rather than saved. A list of those known to be harmless,
// not of the harmful ones: whatever is not on it (html, svg, xml, javascript, every office format) is saved.
bool is_inline_safe(std::string_view mime_type);

// The type a file is sent with. What a page could load as a script, a style or a program is sent as what it is beside
// that: text, or bytes. nosniff keeps browsers from running those.
std::string sent_type(std::string_view mime_type);

}  // namespace cloakroom

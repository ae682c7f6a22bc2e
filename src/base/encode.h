// encode.h — bytes to text and back: hex, base64, percent. Escapes are named for where the text goes.
//
// Errors   kInvalid: the text is not of the form. Nothing is returned half-decoded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace cloakroom {

std::string hex_encode(std::span<const std::uint8_t> bytes);  // lowercase
Result<std::string> hex_decode(std::string_view text);

std::string base64_encode(std::string_view bytes);            // RFC 4648 section 4, padded
std::string base64url_encode(std::string_view bytes);         // section 5, no padding
Result<std::string> base64url_decode(std::string_view text);  // section 5; padding and other alphabets refused

// RFC 3986: keeps A-Z a-z 0-9 - . _ ~ and writes %XX (upper case) for every other byte.
std::string percent_encode(std::string_view bytes);
// The same, but keeps '/': for a path that is already split as meant (S3 keys, local URIs).
std::string percent_encode_path(std::string_view path);
// RFC 3986 decoding of one path segment or query value. '+' stays '+'. kInvalid on a bad escape or a NUL byte.
Result<std::string> percent_decode(std::string_view text);

bool is_utf8(std::string_view bytes);      // well-formed, no surrogates, no overlongs
bool has_control(std::string_view bytes);  // any byte < 0x20 or 0x7f
// 0x20 to 0x7e alone: may be signed and sent in a header as it stands.
bool is_plain_ascii(std::string_view text);
std::string ascii_lower(std::string_view text);
bool ascii_iequal(std::string_view a, std::string_view b);

// Whole string or kInvalid.
Result<std::uint64_t> parse_u64(std::string_view text);

}  // namespace cloakroom

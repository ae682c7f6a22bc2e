// external.cc — what an address of another place may look like.
#include "domain/external.h"

#include <algorithm>

#include "base/encode.h"
#include "base/limits.h"
#include "domain/filename.h"

namespace cloakroom {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_hex_digit(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

bool is_host_character(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '-' || c == '_';
}

bool is_port(std::string_view text) {  // empty: the usual one (RFC 3986 section 3.2.3)
  return text.empty() || parse_u64(text).value_or(65536) < 65536;
}

// "name", "name:port" or "[IPv6]:port"
bool is_host_and_port(std::string_view text) {
  std::size_t end = 0;
  if (text.starts_with('[')) {
    end = text.find(']');
    if (end == std::string_view::npos) return false;
    const std::string_view address = text.substr(1, end - 1);
    const auto fits = [](char c) { return is_hex_digit(c) || c == ':' || c == '.'; };
    if (address.find(':') == std::string_view::npos || !std::all_of(address.begin(), address.end(), fits)) return false;
    ++end;
  } else {
    end = std::min(text.find(':'), text.size());
    const std::string_view name = text.substr(0, end);
    if (name.empty() || !std::all_of(name.begin(), name.end(), is_host_character)) return false;
  }
  return end == text.size() || (text[end] == ':' && is_port(text.substr(end + 1)));
}

// What RFC 3986 has in a URL at all; '%' only before two hex digits.
bool is_clean(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c <= ' ' || c > '~' || std::string_view("\"<>\\^`{|}").find(c) != std::string_view::npos) return false;
    if (c != '%') continue;
    if (i + 2 >= text.size() || !is_hex_digit(text[i + 1]) || !is_hex_digit(text[i + 2])) return false;
  }
  return true;
}

}  // namespace

Status check_external_url(std::string_view url) {
  if (url.size() > limits::kExternalUrlBytes) {
    return refuse(Errc::kInvalid, "external_url is longer than " + std::to_string(limits::kExternalUrlBytes) +
                                      " bytes: give a shorter address.");
  }
  const std::string scheme = ascii_lower(url.substr(0, url.find("://")));
  if ((scheme != "http" && scheme != "https") || scheme.size() == url.size()) {
    return refuse(Errc::kInvalid, "external_url must be a whole address that begins with https:// or http://.");
  }
  if (!is_clean(url)) {
    return refuse(Errc::kInvalid,
                  "external_url holds a character that an address cannot have: percent-encode it (a host name: as "
                  "xn--...), and a % that stands for itself as %25.");
  }
  const std::string_view rest = url.substr(scheme.size() + 3);
  const std::string_view authority = rest.substr(0, rest.find_first_of("/?#"));
  if (authority.find('@') != std::string_view::npos) {
    return refuse(Errc::kInvalid,
                  "external_url has a user or password in it, which everybody would see: leave it out.");
  }
  if (!is_host_and_port(authority)) {
    return refuse(Errc::kInvalid, "external_url needs a host name or address, and at most a port, after the //.");
  }
  return Ok{};
}

Result<Attachment> external_attachment(const ExternalFile& file, TimePoint now) {
  TRY(check_external_url(file.url));
  Attachment a;
  a.created_at = now;
  a.id = make_uuid7(now);
  a.status = file.message_id ? AttachmentStatus::kLinked : AttachmentStatus::kUploaded;
  a.uploader_id = file.uploader_id;
  a.dialog_id = file.dialog_id;
  a.message_id = file.message_id;
  a.account_id = file.account_id;
  a.filename = clean_filename(file.filename);
  a.mime_type = file.mime_type;
  a.external_url = file.url;
  return a;
}

}  // namespace cloakroom

// sts_xml.cc — reads answers of the security token service with pugixml.
#include "storage/sts_xml.h"

#include <pugixml.hpp>

namespace cloakroom {

Result<Credentials> parse_assumed_role(std::string_view xml) {
  pugi::xml_document document;
  const Error bad{Errc::kStore, "cannot read the answer of the token service"};
  // parse_doctype stays off: pugixml skips a DTD and never expands entities of its own.
  if (!document.load_buffer(xml.data(), xml.size(), pugi::parse_minimal | pugi::parse_escapes)) return bad;
  const pugi::xml_node found =
      document.child("AssumeRoleWithWebIdentityResponse").child("AssumeRoleWithWebIdentityResult").child("Credentials");
  const Result<TimePoint> end = parse_iso8601(found.child_value("Expiration"));
  if (!found || !end) return bad;
  Credentials credentials{found.child_value("AccessKeyId"), found.child_value("SecretAccessKey"),
                          found.child_value("SessionToken"), *end};
  if (credentials.session_token.empty()) return bad;
  return credentials;
}

std::string sts_error_code(std::string_view xml) {
  pugi::xml_document document;
  if (!document.load_buffer(xml.data(), xml.size(), pugi::parse_minimal | pugi::parse_escapes)) return {};
  std::string code = document.child("ErrorResponse").child("Error").child_value("Code");
  std::erase_if(code, [](char c) { return c <= ' ' || c > '~'; });
  return code.substr(0, 64);
}

}  // namespace cloakroom

// sts_xml_fuzz.cc — any answer of a token service: read without a fault, and credentials only when all of them are
// there.
//
// Input    the document
#include <cstdint>
#include <string_view>

#include "storage/sts_xml.h"

using namespace cloakroom;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view xml(reinterpret_cast<const char*>(data), size);
  if (const auto credentials = parse_assumed_role(xml)) {
    if (credentials->session_token.empty() || !credentials->expires_at) BUG("credentials without token or end");
  }
  const std::string code = sts_error_code(xml);
  if (code.size() > 64) BUG("a long code");
  for (const char c : code) {
    if (c <= ' ' || c > '~') BUG("a code that breaks a log line");
  }
  return 0;
}

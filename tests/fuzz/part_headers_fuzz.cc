// part_headers_fuzz.cc — any header lines and parameters: what is read is well-formed, and refusals have a sentence.
//
// Input    the lines; they are also tried as one header value, by both rules, and as an extended value
#include <cstdint>
#include <set>
#include <string>

#include "base/encode.h"
#include "http/header_params.h"
#include "http/media_type.h"
#include "http/part_headers.h"

using namespace cloakroom;

namespace {

bool breaks_lines(std::string_view text) {
  return text.find('\r') != std::string_view::npos || text.find('\n') != std::string_view::npos ||
         text.find('\0') != std::string_view::npos;
}

void check_params(std::string_view value, QuotedPair rule) {
  const auto parsed = parse_header_params(value, rule);
  if (!parsed) {
    if (parsed.error().detail.empty()) BUG("a refusal without a sentence");
    return;
  }
  std::set<std::string> names;
  for (const auto& [name, text] : parsed->params) {
    if (!is_token(name) || name != ascii_lower(name)) BUG("a name that is no lower-case token");
    if (!names.insert(name).second) BUG("a name twice");
    if (breaks_lines(text)) BUG("a value that breaks a line");
    const std::string* found = parsed->find(name);
    if (found == nullptr || *found != text) BUG("a parameter that is not found");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  check_params(input, QuotedPair::kStandard);
  check_params(input, QuotedPair::kFormData);
  if (const auto text = decode_ext_value(input); text && !is_utf8(*text)) BUG("ill-formed text of an extended value");
  const std::string mime = canonical_mime(input);
  if (mime != canonical_mime(mime) || has_control(mime)) BUG("a media type that is not canonical");

  const auto part = parse_part_headers(input);
  if (!part) {
    if (part.error().code != Errc::kInvalid || part.error().say.empty()) BUG("a refusal without a sentence");
    return 0;
  }
  if (breaks_lines(part->content_type)) BUG("a content type that breaks a line");
  if (part->name.find('\0') != std::string::npos) BUG("a zero in a name");
  if (part->name.size() > size || (part->filename && part->filename->size() > size))
    BUG("a name longer than its source");
  return 0;
}

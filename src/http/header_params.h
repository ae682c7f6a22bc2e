// header_params.h — a header value with parameters: `form-data; name="a"; filename="b.jpg"`.
//
// Source   RFC 9110 section 5.6.6 (parameters), RFC 8187 (filename*), the HTML standard's multipart/form-data encoding.
// Shape    Names are lower-cased; a value is a token or a quoted string; empty parameters (`;;`, a last `;`) are
// skipped. Errors   kInvalid  an unterminated quote, a control character, a repeated name, anything the grammar does
// not have Lifetime `head` points into the text that was parsed.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace cloakroom {

// What a backslash inside quotes means.
enum class QuotedPair {
  kStandard,  // RFC 9110: it is dropped and the next character stands for itself
  kFormData,  // only \" and \\ are pairs: browsers send other backslashes as they are, old ones send C:\path\name
};

struct HeaderParams {
  std::string_view head;  // what stands before the first ';', without the space around it
  std::vector<std::pair<std::string, std::string>> params;

  const std::string* find(std::string_view lower_name) const;
};

Result<HeaderParams> parse_header_params(std::string_view value, QuotedPair rule);

// UTF-8''%e2%82%ac%20rates -> the text. Other character sets and ill-formed UTF-8 are kInvalid.
Result<std::string> decode_ext_value(std::string_view value);

bool is_token(std::string_view text);                // RFC 9110 section 5.6.2; not empty
std::string_view trim_space(std::string_view text);  // spaces and tabs, both ends

}  // namespace cloakroom

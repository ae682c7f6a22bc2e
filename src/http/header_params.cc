// header_params.cc — one pass over the value; nothing is skipped that was not understood.
#include "http/header_params.h"

#include <algorithm>
#include <utility>

#include "base/encode.h"

namespace cloakroom {
namespace {

bool is_token_char(char c) {
  if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')) return true;
  return c != '\0' && std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

bool is_space(char c) {
  return c == ' ' || c == '\t';
}

Error invalid(const char* why) {
  return Error{Errc::kInvalid, why};
}

// Takes from `rest` what stands before the first character that is no token character.
std::string_view take_token(std::string_view& rest) {
  const auto end = std::find_if_not(rest.begin(), rest.end(), is_token_char);
  const auto length = static_cast<std::size_t>(end - rest.begin());
  const std::string_view token = rest.substr(0, length);
  rest.remove_prefix(length);
  return token;
}

void skip_space(std::string_view& rest) {
  while (!rest.empty() && is_space(rest.front())) rest.remove_prefix(1);
}

// REQUIRES: `rest` begins with the opening quote.
Result<std::string> take_quoted(std::string_view& rest, QuotedPair rule) {
  std::string text;
  for (std::size_t i = 1; i < rest.size(); ++i) {
    if (rest[i] == '"') {
      rest.remove_prefix(i + 1);
      return text;
    }
    if (rest[i] == '\\' && i + 1 < rest.size()) {
      const char next = rest[i + 1];
      if (rule == QuotedPair::kStandard || next == '"' || next == '\\') ++i;
    }
    text += rest[i];
  }
  return invalid("quoted string without an end");
}

}  // namespace

const std::string* HeaderParams::find(std::string_view lower_name) const {
  for (const auto& [name, value] : params) {
    if (name == lower_name) return &value;
  }
  return nullptr;
}

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), is_token_char);
}

std::string_view trim_space(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

Result<HeaderParams> parse_header_params(std::string_view value, QuotedPair rule) {
  const bool control = std::any_of(value.begin(), value.end(), [](char c) {
    return c != '\t' && has_control({&c, 1});
  });
  if (control) return invalid("control character in a header");
  HeaderParams parsed;
  const std::size_t head_end = std::min(value.find(';'), value.size());
  parsed.head = trim_space(value.substr(0, head_end));
  std::string_view rest = value.substr(head_end);
  while (!rest.empty()) {
    if (rest.front() != ';') return invalid("parameters are not divided by ';'");
    rest.remove_prefix(1);
    skip_space(rest);
    if (rest.empty() || rest.front() == ';') continue;
    std::string name = ascii_lower(take_token(rest));
    if (name.empty()) return invalid("parameter without a name");
    if (rest.empty() || rest.front() != '=') return invalid("parameter without a value");
    rest.remove_prefix(1);
    if (parsed.find(name) != nullptr) return invalid("parameter given twice");
    std::string text;
    if (!rest.empty() && rest.front() == '"') {
      TRY_ASSIGN(text, take_quoted(rest, rule));
    } else {
      text = take_token(rest);
      if (text.empty()) return invalid("parameter without a value");
    }
    parsed.params.emplace_back(std::move(name), std::move(text));
    skip_space(rest);
  }
  return parsed;
}

Result<std::string> decode_ext_value(std::string_view value) {
  const std::size_t charset_end = value.find('\'');
  if (charset_end == std::string_view::npos) return invalid("extended value without a character set");
  const std::size_t language_end = value.find('\'', charset_end + 1);
  if (language_end == std::string_view::npos) return invalid("extended value without a language");
  if (!ascii_iequal(value.substr(0, charset_end), "UTF-8")) return invalid("extended value is not in UTF-8");
  TRY_ASSIGN(std::string text, percent_decode(value.substr(language_end + 1)));
  if (!is_utf8(text)) return invalid("extended value is not well-formed UTF-8");
  return text;
}

}  // namespace cloakroom

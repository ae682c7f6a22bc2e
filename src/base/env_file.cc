// env_file.cc — one line, one variable.
#include "base/env_file.h"

#include <algorithm>

namespace cloakroom {
namespace {

constexpr std::string_view kBlanks = " \t\r";

std::string_view trim(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

bool is_name(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
}

// The value without its quotes; false when a quote is not closed or something follows it.
bool unquote(std::string_view text, std::string& value) {
  const char quote = text.empty() ? '\0' : text[0];
  if (quote != '"' && quote != '\'') {
    value = text;
    return true;
  }
  for (std::size_t i = 1; i < text.size(); ++i) {
    const bool escaped = quote == '"' && text[i] == '\\' && i + 1 < text.size() &&
                         std::string_view("\"\\$`").find(text[i + 1]) != std::string_view::npos;
    if (escaped) {
      value += text[++i];
    } else if (text[i] == quote) {
      return i + 1 == text.size();
    } else {
      value += text[i];
    }
  }
  return false;
}

}  // namespace

Result<std::vector<std::pair<std::string, std::string>>> parse_env_file(std::string_view text) {
  std::vector<std::pair<std::string, std::string>> out;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::string_view line = trim(text.substr(0, text.find('\n')));
    text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
    if (line.empty() || line[0] == '#' || line[0] == ';') continue;
    const auto bad = [&](const char* why) {
      return Error{Errc::kInvalid, "line " + std::to_string(number) + ": " + why};
    };
    const std::size_t equals = line.find('=');
    const std::string_view name = trim(line.substr(0, equals));
    if (equals == std::string_view::npos || !is_name(name)) return bad("not NAME=VALUE");
    std::string value;
    if (!unquote(trim(line.substr(equals + 1)), value)) return bad("a quote is not closed, or something follows it");
    out.emplace_back(name, std::move(value));
  }
  return out;
}

}  // namespace cloakroom

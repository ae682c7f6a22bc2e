// config_reader.cc — where a value comes from, and what a number, a size and a choice look like.
#include "base/config_reader.h"

#include <fcntl.h>

#include <algorithm>

#include "base/encode.h"
#include "base/file.h"

namespace cloakroom {
namespace {

char ascii_upper(char c) {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}

const Setting& setting(std::string_view name) {
  const auto settings = all_settings();
  const auto found = std::find_if(settings.begin(), settings.end(), [&](const Setting& s) { return s.name == name; });
  if (found == settings.end()) BUG("a setting that is not in the table");
  return *found;
}

Result<std::string> read_value(const std::string& path) {
  TRY_ASSIGN(const UniqueFd fd, open_file(path, O_RDONLY));
  std::string value(65536, '\0');
  TRY_ASSIGN(const std::size_t size, read_at(fd.get(), std::as_writable_bytes(std::span(value)), 0));
  value.resize(size);
  if (value.ends_with('\n')) value.pop_back();
  return value;
}

}  // namespace

std::vector<std::string_view> split(std::string_view text, char by) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t end = text.find(by);
    std::string_view part = text.substr(0, end);
    while (part.starts_with(' ')) part.remove_prefix(1);
    while (part.ends_with(' ')) part.remove_suffix(1);
    if (!part.empty()) parts.push_back(part);
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

Raw Reader::raw(std::string_view name) {
  const Setting& s = setting(name);
  std::vector<std::string_view> names{name};
  for (const std::string_view alias : split(s.aliases, ' ')) names.push_back(alias);
  for (const std::string_view candidate : names) {
    if (auto value = env_(candidate); value && !value->empty()) return {*value, std::string(candidate)};
    const std::string from_file = std::string(candidate) + "_FILE";
    if (const auto path = env_(from_file); path && !path->empty()) {
      auto value = read_value(*path);
      if (value) return {*value, from_file};
      problem(from_file, value.error().detail);
      return {"", from_file};
    }
  }
  return {std::string(s.default_value), "default"};
}

std::string Reader::text(std::string_view name) {
  std::string value = raw(name).value;
  if (name != "JWT_PUBLIC_KEY" && has_control(value)) problem(name, "control characters are not allowed");
  return value;
}

std::string Reader::one_of(std::string_view name, std::string_view choices) {
  std::string value = text(name);
  const auto allowed = split(choices, ' ');
  if (std::find(allowed.begin(), allowed.end(), value) == allowed.end()) {
    problem(name, fmt::format("'{}' is not one of: {}", value, choices));
  }
  return value;
}

std::uint64_t Reader::number(std::string_view name, std::uint64_t least, std::uint64_t most) {
  const std::string value = text(name);
  const auto parsed = parse_u64(value);
  if (!parsed || *parsed < least || *parsed > most) {
    problem(name, fmt::format("'{}' is not a whole number from {} to {}", value, least, most));
    return least;
  }
  return *parsed;
}

std::uint64_t Reader::bytes(std::string_view name) {
  const Raw from = raw(name);
  std::string digits = from.value;
  unsigned shift = from.source.starts_with("MAX_UPLOAD_SIZE_MB") ? 20 : 0;
  if (!digits.empty()) {
    const std::size_t unit = std::string_view("KMGT").find(ascii_upper(digits.back()));
    if (unit != std::string_view::npos && shift == 0) {
      shift = 10 * (static_cast<unsigned>(unit) + 1);
      digits.pop_back();
    }
  }
  const auto parsed = parse_u64(digits);
  if (!parsed || *parsed == 0 || *parsed > (kMostBytes >> shift)) {
    problem(from.source == "default" ? name : from.source,
            fmt::format("'{}' is not a size such as 10485760 or 10M", from.value));
    return 1;
  }
  return *parsed << shift;
}

bool is_word(std::string_view text) {
  return !text.empty() && text.size() <= 63 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

// Folders and sockets are written into nginx's configuration, where quotes, spaces and $ would need escaping.
std::string path_setting(Reader& in, std::string_view name, std::string value) {
  const bool plain = std::all_of(value.begin(), value.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("/._-+@:~").find(c) != std::string_view::npos;
  });
  if (value.empty() || value[0] != '/' || !plain || (value + "/").find("/../") != std::string::npos) {
    in.problem(name, fmt::format("'{}' is not an absolute path of letters, digits and /._-+@:~", value));
  }
  while (value.size() > 1 && value.ends_with('/')) value.pop_back();
  return value;
}

void check_url(Reader& in, std::string_view name, std::string& url) {
  while (url.ends_with('/')) url.pop_back();
  const std::size_t scheme = url.find("://");
  const std::string_view head = std::string_view(url).substr(0, scheme == std::string::npos ? 0 : scheme);
  const std::string_view host =
      scheme == std::string::npos ? std::string_view() : std::string_view(url).substr(scheme + 3);
  const bool plain = std::all_of(host.begin(), host.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view(".-:[]").find(c) != std::string_view::npos;
  });
  if ((head != "http" && head != "https") || host.empty() || !plain) {
    // a password may stand in it
    const std::string shown = url.find('@') == std::string::npos ? "'" + url + "'" : "it";
    in.problem(name, shown + " is not a URL such as https://s3.example.com:9000 (no path, no user)");
  }
}

}  // namespace cloakroom

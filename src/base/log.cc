// log.cc — builds one logfmt record and writes it with a single write(2), so that lines of several children never mix.
#include "base/log.h"

#include <unistd.h>

#include <fmt/format.h>

#include "base/encode.h"
#include "base/limits.h"

namespace cloakroom {
namespace {

constexpr std::size_t kValueBytes = 512;
Level g_most_verbose = Level::kInfo;  // set once, before any child is made

// At most kValueBytes, and never half a character.
std::string_view cut(std::string_view value) {
  if (value.size() <= kValueBytes) return value;
  std::size_t end = kValueBytes;
  while (end > kValueBytes - 4 && (static_cast<unsigned char>(value[end]) & 0xC0U) == 0x80U) --end;
  return value.substr(0, end);
}

void append_quoted(std::string& line, std::string_view value) {
  const std::string_view kept = cut(value);
  const bool text = is_utf8(kept);  // journald stores anything else as a blob that nobody can read
  line += '"';
  for (const char c : kept) {
    const auto u = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      line += '\\';
      line += c;
    } else if (u < 0x20 || u == 0x7f || (u >= 0x80 && !text)) {
      line += fmt::format("\\x{:02x}", static_cast<unsigned>(u));
    } else {
      line += c;
    }
  }
  if (kept.size() < value.size()) line += "...";
  line += '"';
}

}  // namespace

Level level_named(std::string_view word) {
  if (word == "error") return Level::kError;
  if (word == "warning") return Level::kWarning;
  return word == "debug" ? Level::kDebug : Level::kInfo;
}

void set_log_level(Level most_verbose) {
  g_most_verbose = most_verbose;
}

std::string format_record(Level level, std::string_view event, std::initializer_list<Field> fields) {
  std::string line = fmt::format("<{}>event={}", static_cast<int>(level), event);
  for (const Field& field : fields) {
    std::string item;
    item.append(" ").append(field.name).append("=");
    if (const auto* text = std::get_if<std::string_view>(&field.value)) {
      if (text->empty()) continue;
      append_quoted(item, *text);
    } else if (const auto* number = std::get_if<std::int64_t>(&field.value)) {
      item += std::to_string(*number);
    } else {
      item += fmt::format("{:.1f}", std::get<double>(field.value));
    }
    if (line.size() + item.size() + 1 > limits::kLogLineBytes) break;
    line += item;
  }
  line += '\n';
  return line;
}

void log(Level level, std::string_view event, std::initializer_list<Field> fields) {
  if (static_cast<int>(level) > static_cast<int>(g_most_verbose)) return;
  const std::string line = format_record(level, event, fields);
  // A full pipe or a closed stderr must never stop a request: there is nowhere left to report it.
  [[maybe_unused]] const ssize_t ignored = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace cloakroom

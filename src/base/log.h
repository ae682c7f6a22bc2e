// log.h — one logfmt record to standard error, by one write(2), with sd-daemon(3)'s "<level>" before it.
//
// Shape    <6>event=request.done req="9f2c" status=201 bytes=5000 ms=41
// Bytes    strings are quoted; quotes, backslashes and control characters are escaped, so a forged newline cannot make
// a
//          second record; a value is cut at 512 bytes and a record at limits::kLogLineBytes.
// Never    tokens, signed URLs, store keys, file contents.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

namespace cloakroom {

enum class Level { kError = 3, kWarning = 4, kInfo = 6, kDebug = 7 };

struct Field {
  std::string_view name;
  std::variant<std::string_view, std::int64_t, double> value;

  Field(std::string_view n, std::string_view v) : name(n), value(v) {}
  Field(std::string_view n, const char* v) : name(n), value(std::string_view(v)) {}
  Field(std::string_view n, const std::string& v) : name(n), value(std::string_view(v)) {}
  template <std::integral I>
  Field(std::string_view n, I v) : name(n), value(static_cast<std::int64_t>(v)) {}
  Field(std::string_view n, double v) : name(n), value(v) {}
};

void log(Level level, std::string_view event, std::initializer_list<Field> fields);
void set_log_level(Level most_verbose);
Level level_named(std::string_view word);  // error, warning or debug; info is all else

// The record itself, without the write; for tests.
std::string format_record(Level level, std::string_view event, std::initializer_list<Field> fields);

}  // namespace cloakroom

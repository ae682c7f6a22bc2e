// legacy_time.cc — date, time, fraction, zone, one after the other.
#include "domain/legacy_time.h"

#include <algorithm>
#include <string>

#include "base/encode.h"

namespace cloakroom {
namespace {

constexpr std::uint64_t kLastSecond = 253402300799;  // of the year 9999
constexpr std::int64_t kMicrosecondDigits = 6;

Error bad() {
  return Error{Errc::kInvalid, "not a time such as 2026-01-31 09:30:00"};
}

bool is_digits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

// ".123456", of which microseconds count; what is left of `rest` comes after it.
Result<std::chrono::microseconds> take_fraction(std::string_view& rest) {
  if (!rest.starts_with('.') && !rest.starts_with(',')) return std::chrono::microseconds(0);
  rest.remove_prefix(1);
  const std::size_t end = std::min(rest.find_first_not_of("0123456789"), rest.size());
  if (end == 0) return bad();
  std::string digits(rest.substr(0, std::min<std::size_t>(end, kMicrosecondDigits)));
  digits.resize(kMicrosecondDigits, '0');
  rest.remove_prefix(end);
  TRY_ASSIGN(const std::uint64_t value, parse_u64(digits));
  return std::chrono::microseconds(value);
}

// "Z", "+02", "+02:00", "+0200", " UTC" or nothing.
Result<std::chrono::minutes> read_zone(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  if (text.empty() || text == "Z" || text == "z" || text == "UTC") return std::chrono::minutes(0);
  const bool is_west = text.front() == '-';
  if (!is_west && text.front() != '+') return bad();
  std::string digits(text.substr(1));
  std::erase(digits, ':');
  if (digits.size() == 2) digits += "00";
  if (digits.size() != 4 || !is_digits(digits)) return bad();
  TRY_ASSIGN(const std::uint64_t hours, parse_u64(std::string_view(digits).substr(0, 2)));
  TRY_ASSIGN(const std::uint64_t minutes, parse_u64(std::string_view(digits).substr(2)));
  if (hours > 15 || minutes > 59) return bad();
  const std::chrono::minutes east(hours * 60 + minutes);
  return is_west ? -east : east;
}

}  // namespace

Result<TimePoint> parse_legacy_time(std::string_view text) {
  while (text.ends_with(' ')) text.remove_suffix(1);
  while (text.starts_with(' ')) text.remove_prefix(1);
  if (is_digits(text)) {
    const auto number = parse_u64(text);
    if (!number || *number / 1000 > kLastSecond) return bad();
    // no file is from the year 5138: thirteen digits are milliseconds
    if (text.size() >= 12) return TimePoint(std::chrono::milliseconds(*number));
    return TimePoint(std::chrono::seconds(*number));
  }
  if (text.size() == 10) return parse_iso8601(std::string(text) + "T00:00:00Z");
  if (text.size() < 19 || (text[10] != ' ' && text[10] != 'T' && text[10] != 't')) return bad();
  const std::string plain = std::string(text.substr(0, 10)) + "T" + std::string(text.substr(11, 8)) + "Z";
  auto when = parse_iso8601(plain);
  if (!when) return bad();
  std::string_view rest = text.substr(19);
  TRY_ASSIGN(const auto fraction, take_fraction(rest));
  TRY_ASSIGN(const auto zone, read_zone(rest));
  const TimePoint out = *when + fraction - zone;
  if (out < TimePoint{}) return bad();
  return out;
}

}  // namespace cloakroom

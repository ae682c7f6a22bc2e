// time.cc — UTC forms by gmtime_r and one parser for HTTP dates.
#include "base/time.h"

#include <fmt/format.h>

#include <array>
#include <ctime>

#include "base/encode.h"

namespace cloakroom {
namespace {

constexpr std::array kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

std::tm utc(TimePoint when) {
  const std::time_t seconds = unix_seconds(when).count();
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  return parts;
}

Result<int> digits(std::string_view text, std::size_t at, std::size_t count) {
  TRY_ASSIGN(const std::uint64_t value, parse_u64(text.substr(at, count)));
  return static_cast<int>(value);
}

}  // namespace

std::chrono::seconds unix_seconds(TimePoint when) {
  return std::chrono::floor<std::chrono::seconds>(when.time_since_epoch());
}

std::string iso8601_ms(TimePoint when) {
  const std::tm t = utc(when);
  const auto ms = std::chrono::floor<std::chrono::milliseconds>(when.time_since_epoch()) -
                  std::chrono::duration_cast<std::chrono::milliseconds>(unix_seconds(when));
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", t.tm_year + 1900, t.tm_mon + 1, t.tm_mday, t.tm_hour,
                     t.tm_min, t.tm_sec, ms.count());
}

std::string amz_date(TimePoint when) {
  const std::tm t = utc(when);
  return fmt::format("{:04}{:02}{:02}T{:02}{:02}{:02}Z", t.tm_year + 1900, t.tm_mon + 1, t.tm_mday, t.tm_hour, t.tm_min,
                     t.tm_sec);
}

std::string http_date(TimePoint when) {
  const std::tm t = utc(when);
  return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT", kDays[static_cast<std::size_t>(t.tm_wday)], t.tm_mday,
                     kMonths[static_cast<std::size_t>(t.tm_mon)], t.tm_year + 1900, t.tm_hour, t.tm_min, t.tm_sec);
}

Result<TimePoint> parse_http_date(std::string_view text) {
  // Sat, 31 Jan 2026 09:30:00 GMT (RFC 9110 section 5.6.7)
  const Error bad{Errc::kInvalid, "not an HTTP date"};
  if (text.size() != 29 || text.substr(3, 2) != ", " || text[7] != ' ' || text[11] != ' ' || text[16] != ' ' ||
      text[19] != ':' || text[22] != ':' || text.substr(25) != " GMT") {
    return bad;
  }
  std::tm t{};
  TRY_ASSIGN(t.tm_mday, digits(text, 5, 2));
  TRY_ASSIGN(t.tm_year, digits(text, 12, 4));
  TRY_ASSIGN(t.tm_hour, digits(text, 17, 2));
  TRY_ASSIGN(t.tm_min, digits(text, 20, 2));
  TRY_ASSIGN(t.tm_sec, digits(text, 23, 2));
  t.tm_mon = -1;
  for (std::size_t m = 0; m < kMonths.size(); ++m) {
    if (text.substr(8, 3) == kMonths[m]) t.tm_mon = static_cast<int>(m);
  }
  if (t.tm_mon < 0 || t.tm_year < 1970 || t.tm_mday < 1 || t.tm_mday > 31 || t.tm_hour > 23 || t.tm_min > 59 ||
      t.tm_sec > 60) {
    return bad;
  }
  t.tm_year -= 1900;
  const TimePoint when{std::chrono::seconds(timegm(&t))};
  if (http_date(when) != text) return bad;  // 31 Feb, a leap second, or another day of the week
  return when;
}

Result<TimePoint> parse_iso8601(std::string_view text) {
  const Error bad{Errc::kInvalid, "not a time such as 2026-01-31T09:30:00Z"};
  if (text.size() < 20 || text[4] != '-' || text[7] != '-' || text[10] != 'T' || text[13] != ':' || text[16] != ':') {
    return bad;
  }
  const std::string_view fraction = text.substr(19, text.size() - 20);
  const bool is_fraction = fraction.empty() || (fraction.size() > 1 && fraction[0] == '.' &&
                                                fraction.find_first_not_of("0123456789", 1) == std::string_view::npos);
  if (text.back() != 'Z' || !is_fraction) return bad;
  std::tm t{};
  TRY_ASSIGN(t.tm_year, digits(text, 0, 4));
  TRY_ASSIGN(t.tm_mon, digits(text, 5, 2));
  TRY_ASSIGN(t.tm_mday, digits(text, 8, 2));
  TRY_ASSIGN(t.tm_hour, digits(text, 11, 2));
  TRY_ASSIGN(t.tm_min, digits(text, 14, 2));
  TRY_ASSIGN(t.tm_sec, digits(text, 17, 2));
  t.tm_year -= 1900;
  t.tm_mon -= 1;
  const TimePoint when{std::chrono::seconds(timegm(&t))};
  if (iso8601_ms(when).substr(0, 19) != text.substr(0, 19)) return bad;  // the 31st of February, the 61st minute
  return when;
}

}  // namespace cloakroom

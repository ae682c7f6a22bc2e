// time.h — points in time and the forms in which the outside world writes them. Always UTC.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/result.h"

namespace cloakroom {

using TimePoint = std::chrono::time_point<std::chrono::system_clock, std::chrono::microseconds>;

inline TimePoint system_now() {
  return std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
}

std::string iso8601_ms(TimePoint when);                    // 2026-01-31T09:30:00.123Z
std::string amz_date(TimePoint when);                      // 20260131T093000Z
std::string http_date(TimePoint when);                     // Sat, 31 Jan 2026 09:30:00 GMT
Result<TimePoint> parse_http_date(std::string_view text);  // IMF-fixdate only; the two obsolete forms are kInvalid
// 2026-01-31T09:30:00Z, with or without a fraction of a second (which is dropped). UTC only.
Result<TimePoint> parse_iso8601(std::string_view text);
std::chrono::seconds unix_seconds(TimePoint when);

}  // namespace cloakroom

// legacy_time.h — a point in time as other people's tables and exports write it. Pure.
//
// Shape    2026-01-31 09:30:00, 2026-01-31T09:30:00.123456Z, 2026-01-31 09:30:00+02, …+02:00, …+0200, 2026-01-31; or
//          seconds, or milliseconds, since 1970. Without a zone it is UTC.
// Errors   kInvalid, also before 1970 and after 9999
#pragma once

#include <string_view>

#include "base/result.h"
#include "base/time.h"

namespace cloakroom {

Result<TimePoint> parse_legacy_time(std::string_view text);

}  // namespace cloakroom

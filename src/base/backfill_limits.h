// backfill_limits.h — maxima of a backfill.
#pragma once

#include <cstddef>

namespace cloakroom::limits {

inline constexpr std::size_t kLegacyRowBytes = 256 * 1024;  // of one row of an old application's table; a page is held
inline constexpr std::size_t kMappingBytes = 64 * 1024;     // of the file that describes the table

}  // namespace cloakroom::limits

// id.h — ids: ours are UUIDv7 (RFC 9562 section 5.7), so that rows made together lie together in the index; foreign
// ones (users, dialogs, messages of the application) are text.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"

namespace cloakroom {

struct Uuid {
  std::array<std::uint8_t, 16> bytes{};
  bool operator==(const Uuid&) const = default;
};

Uuid make_uuid7(TimePoint now);                  // 48 bits of milliseconds, 74 random bits
std::string to_string(const Uuid& id);           // 8-4-4-4-12, lowercase
std::string to_hex(const Uuid& id);              // 32 hex digits
Result<Uuid> parse_uuid(std::string_view text);  // exactly the 36-character form, any case; else kInvalid
std::string random_hex(std::size_t bytes);       // from the kernel; for request ids and temporary names

// A foreign id (user, dialog, message): 1 to limits::kForeignIdBytes bytes of UTF-8 without control characters.
bool is_foreign_id(std::string_view text);

}  // namespace cloakroom

// id.cc — UUIDv7 made from the clock and the kernel's random bytes.
#include "base/id.h"

#include <sys/random.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "base/encode.h"
#include "base/limits.h"

namespace cloakroom {
namespace {

// getrandom(2) for small requests costs about a microsecond; a pool makes it one call for 32 ids. A fork would share
// the pool, so it is keyed by pid.
void random_bytes(std::span<std::uint8_t> into) {
  thread_local std::array<std::uint8_t, 512> pool;
  thread_local std::size_t used = sizeof pool;
  thread_local pid_t owner = 0;
  if (into.size() > pool.size()) BUG("too many random bytes asked for");
  if (owner != getpid() || used + into.size() > pool.size()) {
    if (getrandom(pool.data(), pool.size(), 0) != static_cast<ssize_t>(pool.size())) BUG("getrandom failed");
    owner = getpid();
    used = 0;
  }
  std::memcpy(into.data(), pool.data() + used, into.size());
  used += into.size();
}

}  // namespace

Uuid make_uuid7(TimePoint now) {
  Uuid id;
  random_bytes(id.bytes);
  const auto ms =
      static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count());
  for (std::size_t i = 0; i < 6; ++i) id.bytes[i] = static_cast<std::uint8_t>(ms >> (8 * (5 - i)));
  id.bytes[6] = static_cast<std::uint8_t>(0x70U | (id.bytes[6] & 0x0FU));
  id.bytes[8] = static_cast<std::uint8_t>(0x80U | (id.bytes[8] & 0x3FU));
  return id;
}

std::string to_hex(const Uuid& id) {
  return hex_encode(id.bytes);
}

std::string to_string(const Uuid& id) {
  std::string text = to_hex(id);
  for (const std::size_t at : {20U, 16U, 12U, 8U}) text.insert(at, 1, '-');
  return text;
}

Result<Uuid> parse_uuid(std::string_view text) {
  if (text.size() != 36) return Error{Errc::kInvalid, "not a UUID"};
  std::string digits;
  digits.reserve(32);
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash != (text[i] == '-')) return Error{Errc::kInvalid, "not a UUID"};
    if (!dash) digits += text[i];
  }
  TRY_ASSIGN(const std::string raw, hex_decode(digits));
  Uuid id;
  std::memcpy(id.bytes.data(), raw.data(), id.bytes.size());
  return id;
}

bool is_foreign_id(std::string_view text) {
  return !text.empty() && text.size() <= limits::kForeignIdBytes && is_utf8(text) && !has_control(text);
}

std::string random_hex(std::size_t bytes) {
  std::array<std::uint8_t, 64> raw{};
  if (bytes > raw.size()) BUG("too many random digits asked for");
  random_bytes(std::span(raw).first(bytes));
  return hex_encode(std::span(raw).first(bytes));
}

}  // namespace cloakroom

// link_token.cc — the layout of link_token.h.
#include "auth/link_token.h"

#include <cstdint>

#include "base/encode.h"

namespace cloakroom {
namespace {

constexpr char kVersion = 1;
constexpr unsigned kForUser = 1, kForIp = 2;
constexpr std::size_t kHeadBytes = 7, kMacBytes = 32;
static_assert((kHeadBytes + kMacBytes) % 3 == 0, "or several texts would mean the same bytes");
static_assert((kHeadBytes + kMacBytes) / 3 * 4 == kLinkTokenChars);

Sha256Digest derive(std::string_view secret) {
  return hmac_sha256(as_u8(secret), "cloakroom link token v1");
}

std::string head_of(unsigned bindings, std::chrono::seconds expires) {
  std::string head{kVersion, static_cast<char>(bindings)};
  const auto seconds = static_cast<std::uint64_t>(expires.count());
  for (int shift = 32; shift >= 0; shift -= 8) head += static_cast<char>((seconds >> shift) & 0xFF);
  return head;
}

// With its length before it: what one field lacks, another cannot supply.
void append_field(std::string& message, std::string_view text) {
  message += static_cast<char>((text.size() >> 8) & 0xFF);
  message += static_cast<char>(text.size() & 0xFF);
  message += text;
}

std::string mac_of(const Sha256Digest& key, std::string_view head, const LinkUse& use) {
  const auto bindings = static_cast<unsigned char>(head[1]);
  std::string message(head);
  message.append(reinterpret_cast<const char*>(use.id.bytes.data()), use.id.bytes.size());
  append_field(message, (bindings & kForUser) != 0 ? use.user_id : std::string_view());
  append_field(message, (bindings & kForIp) != 0 ? use.ip : std::string_view());
  const Sha256Digest mac = hmac_sha256(key, message);
  return {reinterpret_cast<const char*>(mac.data()), mac.size()};
}

Error bad(const char* what) {
  return Error{Errc::kUnauthenticated, std::string("link: ") + what};
}

}  // namespace

LinkTokens::LinkTokens(const LinkTokenKeys& keys)
    : key_(derive(keys.secret)), previous_key_(derive(keys.previous.empty() ? keys.secret : keys.previous)) {}

std::string LinkTokens::sign(const LinkClaims& claims) const {
  const unsigned bindings = (claims.user_id.empty() ? 0 : kForUser) | (claims.ip.empty() ? 0 : kForIp);
  const std::string head = head_of(bindings, unix_seconds(claims.expires));
  return base64url_encode(head + mac_of(key_, head, {claims.id, claims.user_id, claims.ip}));
}

Result<TimePoint> LinkTokens::verify(std::string_view token, const LinkUse& use, TimePoint now) const {
  if (token.size() != kLinkTokenChars) return bad("malformed");
  const auto raw = base64url_decode(token);
  if (!raw || raw->size() != kHeadBytes + kMacBytes) return bad("malformed");
  const std::string_view head = std::string_view(*raw).substr(0, kHeadBytes);
  const std::string_view mac = std::string_view(*raw).substr(kHeadBytes);
  const auto bindings = static_cast<unsigned char>(head[1]);
  if (head[0] != kVersion || (bindings & ~(kForUser | kForIp)) != 0) return bad("of another version");
  // an empty name must not stand for a bound one
  if (((bindings & kForUser) != 0 && use.user_id.empty()) || ((bindings & kForIp) != 0 && use.ip.empty())) {
    return bad("for a user or an address, and there is none");
  }
  const bool by_key = equal_constant_time(mac, mac_of(key_, head, use));
  const bool by_previous = equal_constant_time(mac, mac_of(previous_key_, head, use));
  if (!by_key && !by_previous) return bad("not ours, or of another file, user or address");
  std::uint64_t seconds = 0;
  for (const char c : head.substr(2)) seconds = seconds << 8 | static_cast<unsigned char>(c);
  const TimePoint expires{std::chrono::seconds(seconds)};
  if (expires <= now) return bad("expired");
  return expires;
}

}  // namespace cloakroom

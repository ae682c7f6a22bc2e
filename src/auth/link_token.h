// link_token.h — signs and verifies the token of a link: who has it gets the bytes of one file until it expires.
//
// Source   HMAC-SHA256 (RFC 2104) by OpenSSL; base64url (RFC 4648 section 5).
// Shape    52 characters: base64url of 39 bytes: version (1), bindings (bit 0 user, bit 1 IP address), expiry in unix
//          seconds (5 bytes, big endian), MAC (32 bytes). What the link is for is signed and not in it: the file's id
//          is in the address, the user and the IP address are the request's. So a token tells nobody anything.
// Keys     A key of its own, derived from the secret: the same secret elsewhere signs nothing that counts here.
//          `secret` signs; it and `previous` verify, so that secrets can be changed without breaking links.
// Errors   kUnauthenticated; the detail says what is wrong, never the token.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/digest.h"
#include "base/id.h"
#include "base/result.h"
#include "base/time.h"

namespace cloakroom {

inline constexpr std::size_t kLinkTokenChars = 52;

struct LinkTokenKeys {
  std::string secret;
  std::string previous = {};  // empty: none
};

struct LinkClaims {
  Uuid id;
  TimePoint expires;         // whole seconds count
  std::string user_id = {};  // empty: whoever has it
  std::string ip = {};       // as canonical_ip() writes it; empty: from anywhere
};

// What a request brings beside the token.
struct LinkUse {
  Uuid id;
  std::string_view user_id = {};  // empty: nobody we know
  std::string_view ip = {};
};

class LinkTokens {
 public:
  // REQUIRES: keys.secret is not empty.
  explicit LinkTokens(const LinkTokenKeys& keys);

  std::string sign(const LinkClaims& claims) const;
  // Until when it holds.
  Result<TimePoint> verify(std::string_view token, const LinkUse& use, TimePoint now) const;

 private:
  Sha256Digest key_, previous_key_;  // the same twice when there is no previous one
};

}  // namespace cloakroom

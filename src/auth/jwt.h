// jwt.h — verifies a JSON Web Token (RFC 7519, JWS compact form) and tells whose it is.
//
// Source   RFC 7515, 7518 (HS256, RS256), 8037 (EdDSA with Ed25519). The algorithm follows from the key that is
//          configured, never from the token: "none", and HMAC keyed with a public key, cannot happen.
// Claims   `exp` is required; `nbf` counts when present; both with 60 s of leeway. `iss` and `aud` when configured.
// Errors   kUnauthenticated; detail says what was wrong, never the token.
#pragma once

#include <openssl/evp.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/handle.h"
#include "base/result.h"
#include "base/time.h"

namespace cloakroom {

struct JwtOptions {
  std::string secret;          // HS256; empty when public_key_pem is set
  std::string public_key_pem;  // RSA: RS256; Ed25519: EdDSA
  std::string user_claim = "sub";
  std::string issuer = {};
  std::string audience = {};
};

class JwtVerifier {
 public:
  // kInvalid when the key cannot be read or is of another kind.
  static Result<JwtVerifier> make(JwtOptions options);

  Result<std::string> user_of(std::string_view token, TimePoint now) const;

 private:
  using Key = std::unique_ptr<EVP_PKEY, CDelete<EVP_PKEY_free>>;
  enum class Algorithm { kHs256, kRs256, kEdDsa };
  JwtVerifier(JwtOptions options, Key key, Algorithm algorithm)
      : options_(std::move(options)), key_(std::move(key)), algorithm_(algorithm) {}
  Status check_header(std::string_view part) const;
  bool signature_fits(std::string_view signed_part, std::string_view signature) const;

  JwtOptions options_;
  Key key_;
  Algorithm algorithm_;
};

struct JwtClaims {
  std::string user;
  TimePoint issued, expires;
};
// HS256; for `cloakroom token` and tests.
std::string make_jwt(std::string_view secret, std::string_view user_claim, const JwtClaims& claims);

}  // namespace cloakroom

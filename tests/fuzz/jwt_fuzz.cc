// jwt_fuzz.cc — any token: never accepted unless our key signed it and its header says so; then its user is a usable
// id.
//
// Input    a line: the header; a line: the claims; the rest: the signature. They are tried as they are, and signed with
// the
//          right key, so that what lies behind the signature is reached.
#include <algorithm>
#include <cstdint>
#include <string>

#include "auth/jwt.h"
#include "base/digest.h"
#include "base/encode.h"
#include "base/id.h"
#include "base/json.h"

using namespace cloakroom;

namespace {

constexpr std::string_view kSecret = "a-secret-of-the-fuzzer-0123456789";
// openssl genpkey -algorithm ed25519 | openssl pkey -pubout; nobody has the private half
constexpr std::string_view kPublicKey =
    "-----BEGIN PUBLIC KEY-----\n"
    "MCowBQYDK2VwAyEADrgVLJF6Mu6ia+mf4rHLUHAWI/8tKNv11+olVyO0rX0=\n"
    "-----END PUBLIC KEY-----\n";
const TimePoint kNow{std::chrono::seconds(1769851800)};

JwtVerifier verifier(JwtOptions options) {
  auto made = JwtVerifier::make(std::move(options));
  if (!made) BUG("the key cannot be read");
  return *std::move(made);
}

std::string hmac(std::string_view key, std::string_view text) {
  const Sha256Digest mac = hmac_sha256(as_u8(key), text);
  return base64url_encode({reinterpret_cast<const char*>(mac.data()), mac.size()});
}

bool says_hs256(std::string_view header) {
  const auto json = parse_json(header);
  if (!json || !json_is_object(json->get())) return false;
  const json_t* algorithm = json_object_get(json->get(), "alg");
  return json_is_string(algorithm) && std::string_view(json_string_value(algorithm)) == "HS256";
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const JwtVerifier symmetric = verifier({.secret = std::string(kSecret)});
  static const JwtVerifier strict = verifier({.secret = std::string(kSecret), .issuer = "app", .audience = "files"});
  static const JwtVerifier asymmetric = verifier({.public_key_pem = std::string(kPublicKey)});
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  if (symmetric.user_of(input, kNow) || asymmetric.user_of(input, kNow)) BUG("a forged token");

  const std::string_view header = input.substr(0, input.find('\n'));
  std::string_view rest = input.substr(std::min(header.size() + 1, input.size()));
  const std::string_view claims = rest.substr(0, rest.find('\n'));
  rest.remove_prefix(std::min(claims.size() + 1, rest.size()));
  const std::string text = base64url_encode(header) + "." + base64url_encode(claims);
  const std::string forged = text + "." + base64url_encode(rest);
  if (symmetric.user_of(forged, kNow) || asymmetric.user_of(forged, kNow)) BUG("a forged token");
  if (asymmetric.user_of(text + "." + hmac(kPublicKey, text), kNow)) BUG("the public key as a secret");

  const auto user = symmetric.user_of(text + "." + hmac(kSecret, text), kNow);
  if (!user && user.error().code != Errc::kUnauthenticated) BUG("another error");
  if (user && (!is_foreign_id(*user) || !says_hs256(header))) BUG("an unusable user, or another algorithm");
  const auto by_strict = strict.user_of(text + "." + hmac(kSecret, text), kNow);
  if (by_strict && (!user || *by_strict != *user)) BUG("more conditions let more in");
  if (user && symmetric.user_of(text + "." + hmac(kSecret, text), kNow + std::chrono::hours(24 * 365 * 1000)) &&
      claims.find('e') == std::string_view::npos)
    BUG("a token without an end");
  return 0;
}

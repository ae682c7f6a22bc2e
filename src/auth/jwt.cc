// jwt.cc — three base64url parts, one signature, a handful of claims.
#include "auth/jwt.h"

#include <openssl/bio.h>
#include <openssl/pem.h>

#include "base/digest.h"
#include "base/encode.h"
#include "base/id.h"
#include "base/json.h"
#include "base/limits.h"

namespace cloakroom {
namespace {

constexpr std::int64_t kLeewaySeconds = 60;  // clocks of two hosts differ

Error denied(std::string why) {
  return Error{Errc::kUnauthenticated, "token refused: " + std::move(why)};
}

Result<Json> decode_json(std::string_view part) {
  auto text = base64url_decode(part);
  if (!text) return denied("not base64url");
  auto value = parse_json(*text);
  if (!value || !json_is_object(value->get())) return denied("not a JSON object");
  return *std::move(value);
}

std::string_view text_member(const Json& object, const std::string& name) {
  const json_t* value = json_object_get(object.get(), name.c_str());
  if (!json_is_string(value)) return {};
  return {json_string_value(value), json_string_length(value)};
}

bool audience_fits(const Json& claims, std::string_view wanted) {
  const json_t* value = json_object_get(claims.get(), "aud");
  if (json_is_string(value)) return json_string_value(value) == wanted;
  std::size_t i = 0;
  const json_t* item = nullptr;
  json_array_foreach(value, i, item) {
    if (json_is_string(item) && json_string_value(item) == wanted) return true;
  }
  return false;
}

Status check_times(const Json& claims, TimePoint now) {
  const auto seconds = static_cast<double>(unix_seconds(now).count());
  const json_t* expires = json_object_get(claims.get(), "exp");
  if (!json_is_number(expires)) return denied("no exp");
  if (json_number_value(expires) + kLeewaySeconds <= seconds) return denied("expired");
  const json_t* begins = json_object_get(claims.get(), "nbf");
  if (begins != nullptr && (!json_is_number(begins) || json_number_value(begins) - kLeewaySeconds > seconds)) {
    return denied("not valid yet");
  }
  return Ok{};
}

}  // namespace

Result<JwtVerifier> JwtVerifier::make(JwtOptions options) {
  if (options.public_key_pem.empty()) {
    if (options.secret.empty()) return Error{Errc::kInvalid, "no key for tokens"};
    return JwtVerifier(std::move(options), nullptr, Algorithm::kHs256);
  }
  const std::unique_ptr<BIO, CDelete<BIO_free_all>> pem(
      BIO_new_mem_buf(options.public_key_pem.data(), static_cast<int>(options.public_key_pem.size())));
  Key key(PEM_read_bio_PUBKEY(pem.get(), nullptr, nullptr, nullptr));
  if (!key) return Error{Errc::kInvalid, "JWT_PUBLIC_KEY is not a public key in PEM form"};
  switch (EVP_PKEY_get_base_id(key.get())) {
    case EVP_PKEY_RSA:
      if (EVP_PKEY_get_bits(key.get()) < 2048)
        return Error{Errc::kInvalid, "JWT_PUBLIC_KEY: RSA needs 2048 bits or more"};
      return JwtVerifier(std::move(options), std::move(key), Algorithm::kRs256);
    case EVP_PKEY_ED25519:
      return JwtVerifier(std::move(options), std::move(key), Algorithm::kEdDsa);
    default:
      return Error{Errc::kInvalid, "JWT_PUBLIC_KEY is neither RSA nor Ed25519"};
  }
}

Status JwtVerifier::check_header(std::string_view part) const {
  // {"alg":"HS256","typ":"JWT"}, which nearly every library writes: no need to read it each time
  if (algorithm_ == Algorithm::kHs256 && part == "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9") return Ok{};
  TRY_ASSIGN(const Json header, decode_json(part));
  constexpr std::string_view kNames[] = {"HS256", "RS256", "EdDSA"};
  if (text_member(header, "alg") != kNames[static_cast<std::size_t>(algorithm_)]) return denied("other algorithm");
  if (json_object_get(header.get(), "crit") != nullptr) return denied("critical extension");  // RFC 7515 section 4.1.11
  return Ok{};
}

bool JwtVerifier::signature_fits(std::string_view signed_part, std::string_view signature) const {
  if (algorithm_ == Algorithm::kHs256) {
    const Sha256Digest mac = hmac_sha256(as_u8(options_.secret), signed_part);
    return equal_constant_time({reinterpret_cast<const char*>(mac.data()), mac.size()}, signature);
  }
  const std::unique_ptr<EVP_MD_CTX, CDelete<EVP_MD_CTX_free>> context(EVP_MD_CTX_new());
  const EVP_MD* digest = algorithm_ == Algorithm::kRs256 ? EVP_sha256() : nullptr;  // Ed25519 hashes by itself
  if (EVP_DigestVerifyInit(context.get(), nullptr, digest, nullptr, key_.get()) != 1) return false;
  return EVP_DigestVerify(context.get(), as_u8(signature).data(), signature.size(), as_u8(signed_part).data(),
                          signed_part.size()) == 1;
}

Result<std::string> JwtVerifier::user_of(std::string_view token, TimePoint now) const {
  if (token.size() > limits::kTokenBytes) return denied("too long");
  const std::size_t first = token.find('.');
  const std::size_t second = first == std::string_view::npos ? first : token.find('.', first + 1);
  if (second == std::string_view::npos || token.find('.', second + 1) != std::string_view::npos)
    return denied("not three parts");

  TRY(check_header(token.substr(0, first)));

  auto signature = base64url_decode(token.substr(second + 1));
  if (!signature || !signature_fits(token.substr(0, second), *signature)) return denied("wrong signature");

  TRY_ASSIGN(const Json claims, decode_json(token.substr(first + 1, second - first - 1)));
  TRY(check_times(claims, now));
  if (!options_.issuer.empty() && text_member(claims, "iss") != options_.issuer) return denied("other issuer");
  if (!options_.audience.empty() && !audience_fits(claims, options_.audience)) return denied("other audience");

  const json_t* id = json_object_get(claims.get(), options_.user_claim.c_str());
  std::string user;
  if (json_is_integer(id)) user = std::to_string(json_integer_value(id));
  if (json_is_string(id)) user = text_member(claims, options_.user_claim);
  if (!is_foreign_id(user)) return denied("no user id in claim " + options_.user_claim);
  return user;
}

std::string make_jwt(std::string_view secret, std::string_view user_claim, const JwtClaims& claims) {
  const Json body(json_object());
  json_object_set_new(body.get(), std::string(user_claim).c_str(), json_text(claims.user).release());
  json_object_set_new(body.get(), "iat", json_integer(unix_seconds(claims.issued).count()));
  json_object_set_new(body.get(), "exp", json_integer(unix_seconds(claims.expires).count()));
  std::string token = base64url_encode(R"({"alg":"HS256","typ":"JWT"})") + "." + base64url_encode(dump_json(body));
  const Sha256Digest mac = hmac_sha256(as_u8(secret), token);
  return token + "." + base64url_encode({reinterpret_cast<const char*>(mac.data()), mac.size()});
}

}  // namespace cloakroom

// sigv4.h — signs one request with AWS Signature Version 4. Pure: no clock, no I/O, no globals.
//
// Source   AWS SigV4 documentation; vectors in tests/data/sigv4/ (one folder a case).
// Shape    request -> canonical request -> string to sign -> signature (64 lowercase hex).
// Units    `now` is UTC, whole seconds count. `expires` is 1..604800.
// Bytes    path and query arrive percent-encoded once; the path is not normalised and not encoded again, as S3 wants
// it.
//          The query may stand in any order: it is signed (and, for presign_query, returned) sorted by name, then
//          value.
// Headers  every header handed in is signed, so hand in only those that no hop rewrites: host always, all x-amz-*,
//          content-type and the like. Not user-agent, expect, accept-encoding, content-length.
// Errors   kInvalid   host is missing, a header or query item the signer writes itself is already present, or `expires`
// is
//                     out of range
// Lifetime Every string_view must outlive the call. Nothing is kept but the derived key in SigningKeyCache.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "base/digest.h"
#include "base/result.h"
#include "base/time.h"
#include "storage/store_header.h"

namespace cloakroom {

inline constexpr std::string_view kUnsignedPayload = "UNSIGNED-PAYLOAD";
inline constexpr std::string_view kEmptyPayloadHash =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
inline constexpr std::chrono::seconds kPresignMaximum{604800};

struct Credentials {
  std::string access_key_id;
  std::string secret_access_key;
  std::string session_token;                 // empty: long-lived credentials
  std::optional<TimePoint> expires_at = {};  // none: they do not end
};

// Keeps the last derived key: it changes with the UTC date only, and deriving it costs four of the five HMACs.
class SigningKeyCache {
 public:
  struct Scope {
    std::string_view secret, date, region, service;  // date is YYYYMMDD
  };
  const Sha256Digest& get(const Scope& scope);

 private:
  std::string secret_, date_, region_, service_;
  Sha256Digest key_{};
};

struct SigningContext {
  const Credentials& credentials;
  std::string_view region;
  SigningKeyCache& keys;
  std::string_view service = "s3";
};

struct SignInput {
  std::string_view method;
  std::string_view path;
  std::string_view query;  // "a=1&b=" without '?'; may be empty
  const StoreHeaders& headers;
  std::string_view payload_hash;  // hex, or kUnsignedPayload
  TimePoint now;
  bool send_payload_hash = true;  // as x-amz-content-sha256: S3 demands it, other services do not
};

// The headers to send in addition to those handed in; the last is Authorization.
Result<StoreHeaders> sign_headers(const SignInput& input, const SigningContext& context);
// The whole query string to send, X-Amz-Signature last.
Result<std::string> presign_query(const SignInput& input, const SigningContext& context, std::chrono::seconds expires);

namespace sigv4_stage {  // exposed for tests only; called in this order

// Stage 0, one of the two: what is signed beside the request itself.
StoreHeaders auth_headers(const SignInput& input, const SigningContext& context);  // all headers, the given ones first
std::string auth_query(const SignInput& input, const SigningContext& context, std::chrono::seconds expires);

std::string canonical_request(const SignInput& input);
std::string string_to_sign(std::string_view canonical, const SignInput& input, const SigningContext& context);
std::string signature(std::string_view string_to_sign, const SignInput& input, const SigningContext& context);

}  // namespace sigv4_stage
}  // namespace cloakroom

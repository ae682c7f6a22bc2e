// s3_client.h — signed requests to one bucket of a store that speaks S3 with Signature Version 4.
//
// Shape    S3Request -> HttpAnswer over one reused connection; the signature is made anew for every call. Any status is
//          an answer: s3_error() turns one into an Error, and 200 with an error body is for the caller to find.
// Lifetime make it after fork(2): a connection and its TLS state must not be shared by processes. Not for two threads.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "domain/ports.h"
#include "storage/curl.h"
#include "storage/s3_endpoint.h"
#include "storage/sigv4.h"

namespace cloakroom {

struct S3Options {
  std::string endpoint;         // empty = AWS in `region`
  std::string public_endpoint;  // for browsers; empty = the same
  std::string region;           // empty = us-east-1
  std::string bucket;
  std::string access_key_id;
  std::string secret_access_key;
  std::string session_token;  // empty = none
  S3Addressing addressing = S3Addressing::kAuto;
  std::chrono::milliseconds connect_timeout{3000};
  std::chrono::milliseconds small_call_timeout{15000};
  std::chrono::milliseconds ready_timeout{2500};
  std::function<void()> on_progress = {};  // called whenever bytes of a body move, either way
};

struct S3Request {
  std::string_view method;    // GET, HEAD, PUT, POST or DELETE
  std::string_view key = {};  // empty = the bucket itself
  std::string query = {};     // "uploads=" or "partNumber=1&uploadId=..": percent-encoded, any order
  StoreHeaders headers = {};  // signed with host and the signer's own
  std::string_view payload_hash = kEmptyPayloadHash;
  const FileRange* file = nullptr;  // body of a PUT
  std::string_view text = {};       // body of a PUT or POST when there is no file
  ByteSink* sink = nullptr;         // gets the body of a 2xx answer
  std::function<Status(const HttpAnswer&)> accept_body = {};
  std::optional<std::chrono::milliseconds> timeout = {};  // none = small_call_timeout; 0 = only stalls are given up
  bool path_style = false;                                // whatever the addressing: to create the bucket
};

struct PresignInput {
  std::string_view method;
  std::string_view key;
  std::string query = {};     // signed with the rest: response-content-type and the like
  StoreHeaders headers = {};  // signed; whoever uses the URL must send them. Host is added here.
  std::chrono::seconds expires{};
  bool for_browser = false;  // the public endpoint instead of the internal one
};

class S3Client {
 public:
  // kInvalid when endpoint, region, bucket or credentials cannot be right. No round trip.
  static Result<std::unique_ptr<S3Client>> make(const S3Options& options, const Clock& clock);

  Result<HttpAnswer> call(const S3Request& request);
  // "/bucket/key?X-Amz-..." without scheme and host. No round trip.
  Result<std::string> presign_path(const PresignInput& input);
  Result<std::string> presign_url(const PresignInput& input);

  const S3Options& options() const { return options_; }
  const std::string& region() const { return region_; }
  const S3Location& internal() const { return internal_; }
  const S3Location& browser() const { return browser_; }

 private:
  struct Places {
    S3Location internal, browser, creation;  // creation is always in path style
  };

  S3Client(const S3Options& options, const Clock& clock, Places places);
  SigningContext signing() { return {credentials_, region_, keys_}; }

  S3Options options_;
  const Clock& clock_;
  Credentials credentials_;
  std::string region_;
  S3Location internal_, browser_, creation_;
  SigningKeyCache keys_;
  CurlClient curl_;
};

// Whether a header or override value can be signed and sent as it stands: printable ASCII.
bool is_plain_ascii(std::string_view text);

}  // namespace cloakroom

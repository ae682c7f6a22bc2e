// s3_client.h — signed requests to one bucket of a store that speaks S3 with Signature Version 4.
//
// Shape    S3Request -> HttpAnswer over one reused connection; the signature is made anew for every call. Any status is
//          an answer: s3_error() turns one into an Error, and 200 with an error body is for the caller to find.
// Learns   the bucket's region and the store's time from refusals; presigned URLs use both. No redirect is followed.
// Lifetime make it after fork(2): a connection and its TLS state must not be shared by processes. Not for two threads.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/limits.h"
#include "domain/ports.h"
#include "storage/credentials.h"
#include "storage/curl.h"
#include "storage/post_policy.h"
#include "storage/retry.h"
#include "storage/s3_endpoint.h"
#include "storage/s3_part_rules.h"
#include "storage/sigv4.h"

namespace cloakroom {

struct S3Options {
  std::string endpoint;         // empty = AWS in `region`
  std::string public_endpoint;  // for browsers; empty = the same
  std::string region;           // empty = us-east-1
  std::string bucket;
  std::string access_key_id;
  std::string secret_access_key;
  std::string session_token;                           // empty = none
  std::shared_ptr<CredentialSource> credentials = {};  // instead of the three above
  S3Addressing addressing = S3Addressing::kAuto;
  bool content_md5 = true;  // beside XML bodies about the bucket
  std::chrono::milliseconds connect_timeout{3000};
  std::chrono::milliseconds small_call_timeout{15000};
  std::chrono::milliseconds ready_timeout{2500};
  std::chrono::seconds stall_timeout{30};  // a body below 1 KiB/s for so long is given up
  std::string ca_file = {};                // see CurlOptions
  S3PartRules parts = {};
  std::uint64_t multipart_from_bytes = limits::kS3MultipartBytes;       // larger files go in parts
  std::uint64_t copy_in_parts_from_bytes = limits::kS3SingleCopyBytes;  // larger objects are copied in parts
  std::uint64_t copy_part_bytes = limits::kS3CopyPartBytes;
  std::function<void()> on_progress = {};     // called whenever bytes of a body move, either way
  std::function<void(bool)> on_silence = {};  // true, then false: around a call with S3Request::stall
  std::shared_ptr<RetryQuota> quota = std::make_shared<RetryQuota>();  // pays for repeated parts; of this store
};

struct S3Request {
  std::string_view method;    // GET, HEAD, PUT, POST or DELETE
  std::string_view key = {};  // empty = the bucket itself
  std::string query = {};     // "uploads=" or "partNumber=1&uploadId=..": percent-encoded, any order
  StoreHeaders headers = {};  // signed with host and the signer's own
  std::string_view payload_hash = kEmptyPayloadHash;
  const FileRange* file = nullptr;  // body of a PUT
  std::string_view text = {};       // body of a PUT or POST when there is no file
  std::chrono::seconds stall{};     // see HttpCall
  ByteSink* sink = nullptr;         // gets the body of a 2xx answer
  std::function<Status(const HttpAnswer&)> accept_body = {};
  std::optional<std::chrono::milliseconds> timeout = {};  // none = small_call_timeout; 0 = only stalls are given up
  bool path_style = false;                                // whatever the addressing: to create the bucket
  std::size_t body_limit = limits::kS3ErrorBodyBytes;     // of an answer's body that is not for the sink
};

struct PresignInput {
  std::string_view method;
  std::string_view key;
  std::string query = {};          // signed with the rest: response-content-type and the like
  StoreHeaders headers = {};       // signed; whoever uses the URL must send them. Host is added here.
  std::chrono::seconds expires{};  // cut to the end of temporary credentials
  bool for_browser = false;        // the public endpoint instead of the internal one
};

struct PostInput {
  std::string_view key;
  std::string_view content_type;
  std::uint64_t min_bytes = 0, max_bytes = 0;
  std::chrono::seconds expires{};
  StoreHeaders extra = {};  // more form fields
};

struct PostForm {
  std::string url;
  FormFields fields;  // in this order, then the file
};

class S3Client {
 public:
  // kInvalid when endpoint, region, bucket or credentials cannot be right. No round trip.
  // Each method below may ask the credential source, which may take a round trip of its own.
  static Result<std::unique_ptr<S3Client>> make(const S3Options& options, const Clock& clock);

  // Signed and sent once; again when the refusal taught a region or a time (s3_correction.h): a region once in the
  // client's life, the time once in a call, so at most three attempts. The sink has got nothing before the last.
  Result<HttpAnswer> call(const S3Request& request);
  // The signed call, for whoever sends it himself (CurlParallel). It borrows from the request what HttpCall borrows.
  Result<HttpCall> sign(const S3Request& request) { return sign(request, now()); }
  // "/bucket/key?X-Amz-..." without scheme and host. No round trip.
  Result<std::string> presign_path(const PresignInput& input);
  Result<std::string> presign_url(const PresignInput& input);
  // Whether signatures end with the credentials: these have an end or a session, which has one even if nobody said
  // when.
  Result<bool> is_temporary();
  // A form for browsers, at the public endpoint. No round trip. The store must know POST policies.
  Result<PostForm> presign_post(const PostInput& input);

  const S3Options& options() const { return options_; }
  // Of connections that others make to the same store.
  CurlOptions curl_options() const { return {options_.connect_timeout, options_.stall_timeout, options_.ca_file}; }
  const std::string& region() const { return region_; }              // learnt or as configured
  TimePoint now() const { return clock_.now() + clock_is_behind_; }  // the store's time, as far as we know it
  const S3Location& internal() const { return internal_; }
  const S3Location& browser() const { return browser_; }

 private:
  struct Places {
    S3Location internal, browser, creation;  // creation is always in path style
  };

  S3Client(const S3Options& options, const Clock& clock, Places places);
  static Result<Places> locate(const S3Options& options);
  Result<HttpCall> sign(const S3Request& request, TimePoint signed_at);
  Result<HttpAnswer> attempt(const S3Request& request, TimePoint signed_at);
  bool learn_region(const S3Request& request, const HttpAnswer& refusal);
  void move_to(const std::string& region);
  Status take_credentials();  // before signing(): what is current becomes credentials_
  SigningContext signing() { return {credentials_, region_, keys_}; }
  std::chrono::seconds capped(std::chrono::seconds wanted) const;  // no URL outlives what signed it

  S3Options options_;
  const Clock& clock_;
  std::shared_ptr<CredentialSource> source_;
  Credentials credentials_;
  std::string region_;
  S3Location internal_, browser_, creation_;
  bool has_learnt_region_ = false;
  std::chrono::seconds clock_is_behind_{};
  SigningKeyCache keys_;
  CurlClient curl_;
};

}  // namespace cloakroom

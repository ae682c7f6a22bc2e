// s3_bucket.cc — the calls with "?cors" and "?lifecycle".
#include "storage/s3_bucket.h"

#include "base/encode.h"
#include "storage/s3_errors.h"
#include "storage/s3_xml.h"

namespace cloakroom {
namespace {

// What stores say instead of rules when a bucket has none, each in its own way.
struct Words {
  const char* query;
  const char* root;
  std::string_view none, none_elsewhere;
};

Words words_of(BucketRules kind) {
  if (kind == BucketRules::kCors) {
    return {"cors=", "CORSConfiguration", "NoSuchCORSConfiguration", "NoSuchCORSConfigurationError"};
  }
  return {"lifecycle=", "LifecycleConfiguration", "NoSuchLifecycleConfiguration", "NoSuchLifecycle"};
}

// No object was looked for, so none is missing.
Error of_the_bucket(Error error) {
  if (error.code == Errc::kNotFound) error.code = Errc::kStore;
  return error;
}

}  // namespace

Result<HttpAnswer> send_document(S3Client& client, const S3Document& document) {
  const std::string hash = hex_encode(sha256(document.xml));
  S3Request request{.method = document.method, .query = document.query, .payload_hash = hash, .text = document.xml};
  request.headers.push_back({"Content-Type", "application/xml"});
  if (const auto digest = md5(document.xml); digest && client.options().content_md5) {
    const std::string_view bytes(reinterpret_cast<const char*>(digest->data()), digest->size());
    request.headers.push_back({"Content-MD5", base64_encode(bytes)});
  }
  request.timeout = std::chrono::seconds(60);  // a thousand objects are not removed in a moment
  request.body_limit = document.body_limit;
  return client.call(request);
}

Result<std::string> get_bucket_rules(S3Client& client, BucketRules kind) {
  const Words words = words_of(kind);
  TRY_ASSIGN(HttpAnswer answer,
             client.call({.method = "GET", .query = words.query, .body_limit = limits::kS3RulesBytes}));
  if (!is_success(answer)) {
    const std::string code = s3_error_code(answer);
    if (code == words.none || code == words.none_elsewhere) return std::string();
    return of_the_bucket(s3_error("GET", answer));
  }
  TRY(check_result("GET", answer, words.root));
  return std::move(answer.body);
}

Status put_bucket_rules(S3Client& client, BucketRules kind, std::string_view xml) {
  TRY_ASSIGN(const HttpAnswer answer, send_document(client, {"PUT", words_of(kind).query, xml}));
  if (is_success(answer)) return Ok{};
  return of_the_bucket(s3_error("PUT", answer));
}

}  // namespace cloakroom

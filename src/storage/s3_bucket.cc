// s3_bucket.cc — the calls with "?cors" and "?lifecycle".
#include "storage/s3_bucket.h"

#include <algorithm>

#include "base/encode.h"
#include "storage/s3_errors.h"

namespace cloakroom {
namespace {

Error unfit(const char* what) {
  return Error{Errc::kInvalid, std::string("cannot set ") + what + ": a control character in a rule"};
}

bool are_clean(const std::vector<std::string>& texts) {
  return std::none_of(texts.begin(), texts.end(), [](const std::string& text) { return has_control(text); });
}

Result<bool> put_rules(S3Client& client, const char* query, const std::string& xml) {
  TRY_ASSIGN(const HttpAnswer answer, send_document(client, {"PUT", query, xml}));
  if (is_success(answer)) return true;
  if (is_not_implemented(answer)) return false;
  return s3_error("PUT", answer);
}

// The document, or nothing when the bucket has none or the store knows none.
Result<std::string> get_rules(S3Client& client, const char* query, std::string_view none) {
  TRY_ASSIGN(HttpAnswer answer, client.call({.method = "GET", .query = query, .body_limit = limits::kS3RulesBytes}));
  if (is_success(answer)) {
    if (answer.is_cut) return Error{Errc::kStore, "store answered GET with a result that is too large"};
    return std::move(answer.body);
  }
  if (s3_error_code(answer) == none || is_not_implemented(answer)) return std::string();
  Error error = s3_error("GET", answer);
  error.code = Errc::kStore;  // no object was looked for
  return error;
}

Error unreadable(const Error& cause) {
  return Error{Errc::kStore, cause.detail, {}, true};
}

}  // namespace

Result<HttpAnswer> send_document(S3Client& client, const S3Document& document) {
  const std::string hash = hex_encode(sha256(document.xml));
  S3Request request{.method = document.method, .query = document.query, .payload_hash = hash, .text = document.xml};
  request.headers.push_back({"Content-Type", "application/xml"});
  if (const auto digest = md5(document.xml)) {
    const std::string_view bytes(reinterpret_cast<const char*>(digest->data()), digest->size());
    request.headers.push_back({"Content-MD5", base64_encode(bytes)});
  }
  request.timeout = std::chrono::seconds(60);  // a thousand objects are not removed in a moment
  request.body_limit = document.body_limit;
  return client.call(request);
}

Result<bool> put_bucket_cors(S3Client& client, std::span<const S3CorsRule> rules) {
  for (const S3CorsRule& rule : rules) {
    if (!are_clean(rule.allowed_origins) || !are_clean(rule.allowed_methods) || !are_clean(rule.allowed_headers) ||
        !are_clean(rule.exposed_headers)) {
      return unfit("CORS");
    }
  }
  return put_rules(client, "cors=", cors_xml(rules));
}

Result<bool> put_bucket_lifecycle(S3Client& client, std::span<const S3LifecycleRule> rules) {
  for (const S3LifecycleRule& rule : rules) {
    if (has_control(rule.id) || has_control(rule.prefix)) return unfit("lifecycle");
  }
  return put_rules(client, "lifecycle=", lifecycle_xml(rules));
}

Result<std::vector<S3CorsRule>> get_bucket_cors(S3Client& client) {
  TRY_ASSIGN(const std::string xml, get_rules(client, "cors=", "NoSuchCORSConfiguration"));
  if (xml.empty()) return std::vector<S3CorsRule>{};
  auto rules = parse_cors(xml);
  if (!rules) return unreadable(rules.error());
  return rules;
}

Result<std::vector<S3LifecycleRule>> get_bucket_lifecycle(S3Client& client) {
  TRY_ASSIGN(const std::string xml, get_rules(client, "lifecycle=", "NoSuchLifecycleConfiguration"));
  if (xml.empty()) return std::vector<S3LifecycleRule>{};
  auto rules = parse_lifecycle(xml);
  if (!rules) return unreadable(rules.error());
  return rules;
}

}  // namespace cloakroom

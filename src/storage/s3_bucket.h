// s3_bucket.h — what can be asked of a bucket beside its objects: CORS and lifecycle rules.
//
// Shape    a put replaces all rules of the bucket, also those of others: read first, and keep what is not yours.
// Errors   kInvalid   a control character in a rule; no request is made
//          kStore     as s3_errors.h says
// Retries  none here: wrap a call in Retrier::repeat (retry.h).
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "storage/s3_client.h"
#include "storage/s3_xml_bucket.h"

namespace cloakroom {

// False: the store has no such call (MinIO and Swift keep no CORS rules, Swift no lifecycle).
Result<bool> put_bucket_cors(S3Client& client, std::span<const S3CorsRule> rules);
Result<bool> put_bucket_lifecycle(S3Client& client, std::span<const S3LifecycleRule> rules);
// Empty when there are none.
Result<std::vector<S3CorsRule>> get_bucket_cors(S3Client& client);
Result<std::vector<S3LifecycleRule>> get_bucket_lifecycle(S3Client& client);

struct S3Document {
  std::string_view method;  // PUT or POST
  std::string query;        // "cors="
  std::string_view xml;
  std::size_t body_limit = limits::kS3ErrorBodyBytes;  // of the answer
};
// An XML body about the bucket, with its SHA-256 and the Content-MD5 that S3 demands for it (where OpenSSL has MD5).
Result<HttpAnswer> send_document(S3Client& client, const S3Document& document);

}  // namespace cloakroom

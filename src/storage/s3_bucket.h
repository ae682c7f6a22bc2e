// s3_bucket.h — what can be asked of a bucket beside its objects: CORS and lifecycle rules.
//
// Shape    a put replaces all rules of the bucket, also those of others: s3_xml_rules.h adds one to the document that
//          the get gave.
// Errors   kStore   as s3_errors.h says; also where the store has no such call (MinIO and Swift keep no CORS rules), or
//          answers a get with another document (Swift lists the bucket)
// Retries  none here: wrap a call in Retrier::repeat (retry.h).
#pragma once

#include <string>
#include <string_view>

#include "storage/s3_client.h"

namespace cloakroom {

enum class BucketRules { kCors, kLifecycle };

// The document as it came; "" = the bucket has no rules.
Result<std::string> get_bucket_rules(S3Client& client, BucketRules kind);
Status put_bucket_rules(S3Client& client, BucketRules kind, std::string_view xml);

struct S3Document {
  std::string_view method;  // PUT or POST
  std::string query;        // "cors="
  std::string_view xml;
  std::size_t body_limit = limits::kS3ErrorBodyBytes;  // of the answer
};
// An XML body about the bucket, with its SHA-256 and the Content-MD5 that S3 demands for it (where OpenSSL has MD5,
// unless the options say that the store takes none).
Result<HttpAnswer> send_document(S3Client& client, const S3Document& document);

}  // namespace cloakroom

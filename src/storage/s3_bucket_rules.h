// s3_bucket_rules.h — adds a rule of ours to the CORS and lifecycle rules of a bucket; those of others stay.
//
// Source   Amazon S3 API reference, PutBucketCors and PutBucketLifecycleConfiguration: both replace all rules at once,
// so
//          the document that GET gave is changed and sent back.
// Shape    `now` is that document, "" when the bucket has none. Our rule is known by its <ID> and replaced, not
// repeated. Errors   kInvalid   `now` is no XML, or another document
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace cloakroom {

// Scripts of pages of these origins may GET, HEAD, PUT and POST, and may read the ETag of an answer.
Result<std::string> with_cors_rule(std::string_view now, std::span<const std::string> origins);

// Multipart uploads below `key_prefix` that are unfinished after 7 days are removed by the store.
Result<std::string> with_abort_rule(std::string_view now, std::string_view key_prefix);
// Whether an enabled rule, ours or another's, does so for all keys or for those below a prefix of `key_prefix`.
bool has_abort_rule(std::string_view now, std::string_view key_prefix);

}  // namespace cloakroom

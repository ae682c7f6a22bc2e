// s3_errors.h — what a refusal of an S3 store means for us.
//
// Shape    status and <Code> -> Errc, retryable, throttled. The detail is "store answered 403 AccessDenied to PUT",
// never a key. Errors   kNotFound   404, unless the bucket itself is missing
//          kDiskFull   507, QuotaExceeded
//          kStore      all else; retryable for 408, 429, 499, 500, 502, 503, 504, 509, 520 and for codes that name a
//          passing fault
#pragma once

#include <string_view>

#include "base/result.h"
#include "storage/curl.h"

namespace cloakroom {

Error s3_error(std::string_view method, const HttpAnswer& answer);
// The <Code> of an error answer; empty when it has no readable body (HEAD never has one).
std::string s3_error_code(const HttpAnswer& answer);

}  // namespace cloakroom

// s3_errors.h — what a refusal of an S3 store means for us.
//
// Shape    status and <Code> -> Errc, retryable, throttled. The detail is "store answered 403 AccessDenied to PUT",
// never a key. Errors   kNotFound   404, unless the bucket itself is missing
//          kDiskFull   507, QuotaExceeded
//          kStore      all else; retryable for 408, 429, 499, 500, 502, 503, 504, 509, 520 and for codes that name a
//          passing fault; retry_after as Retry-After (seconds or a date) or x-amz-retry-after (milliseconds) say
#pragma once

#include <string_view>

#include "base/result.h"
#include "storage/curl.h"

namespace cloakroom {

Error s3_error(std::string_view method, const HttpAnswer& answer);
// Success: 2xx, and no <Error> in the body that such an answer should not have: a store may notice a fault after its
// 200.
Status check_success(std::string_view method, const HttpAnswer& answer);
// For calls whose 200 may still report a failure (CopyObject, CompleteMultipartUpload, DeleteObjects): a success only
// with 2xx and a whole XML document whose root is `root`. 2xx with anything else counts as a 500: retryable.
Status check_result(std::string_view method, const HttpAnswer& answer, const char* root);
// The <Code> of an error answer; empty when it has no readable body (HEAD never has one).
std::string s3_error_code(const HttpAnswer& answer);
// A failure reported within a whole answer (DeleteObjects): the same table for a code that has no status of its own.
Error s3_error_of_code(std::string_view method, std::string_view code);
bool is_success(const HttpAnswer& answer);
bool succeeded(const Result<HttpAnswer>& answer);  // there is an answer, and it is a success
// The store has no such call, or not in this form: 405, 501, NotImplemented.
bool is_not_implemented(const HttpAnswer& answer);
// The session token has ended, or is not known any more: a second try with fresh credentials may help.
bool is_end_of_credentials(const HttpAnswer& answer);

}  // namespace cloakroom

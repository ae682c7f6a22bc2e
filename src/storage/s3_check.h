// s3_check.h — asks an S3 store, by doing it, whether it can do what cloakroom needs, and where it differs from its
// profile.
//
// Shape    a table of small functions (s3_check.cc), each S3Probe -> Finding; to add one, write it and add a row.
// Order    reach the store, sign, find the bucket, store an object: when one of these fails the rest is not asked, for
//          it would only repeat the failure. All others are independent.
// Leaves   nothing behind in the bucket, whatever fails; with `fix` the bucket, a CORS rule and a lifecycle rule, each
// with
//          an id of ours, beside the rules that were there.
// Errors   none: what cannot be done is a Finding.
#pragma once

#include "base/finding.h"
#include "storage/s3_probe.h"

namespace cloakroom {

Findings check_s3(const S3Options& options, const S3Profile& profile, const S3CheckOptions& wanted, const Clock& clock);

// The checks; each answers for itself alone. `check` of the Finding is filled in by the table.
namespace s3_check {

// s3_check_bucket.cc
Finding endpoint(S3Probe& probe);
Finding clock(S3Probe& probe);
Finding region(S3Probe& probe);
Finding credentials(S3Probe& probe);
Finding bucket(S3Probe& probe);
Finding versions(S3Probe& probe);
Finding lifecycle(S3Probe& probe);

// s3_check_objects.cc
Finding put(S3Probe& probe);
Finding head(S3Probe& probe);
Finding get(S3Probe& probe);
Finding range(S3Probe& probe);
Finding list(S3Probe& probe);
Finding unsigned_payload(S3Probe& probe);
Finding checksums(S3Probe& probe);
Finding conditional_put(S3Probe& probe);
Finding multipart(S3Probe& probe);
Finding remove_many(S3Probe& probe);

// s3_check_browser.cc
Finding presigned_get(S3Probe& probe);
Finding response_overrides(S3Probe& probe);
Finding presigned_put(S3Probe& probe);
Finding post_policy(S3Probe& probe);
Finding cors(S3Probe& probe);

// What all of them say things with.
// An answer that is not the wanted one, or none: "store answered 403 AccessDenied to PUT".
std::string told(std::string_view method, const Result<HttpAnswer>& answer);
// What the store does beside what its profile says: never a failure by itself.
struct Comparison {
  std::string_view what;  // "UNSIGNED-PAYLOAD"
  Fact expected;
  bool found;
  std::string detail = {};  // of a refusal
};
Finding compared(const S3Probe& probe, const Comparison& comparison);

}  // namespace s3_check
}  // namespace cloakroom

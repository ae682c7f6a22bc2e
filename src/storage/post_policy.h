// post_policy.h — the form with which a browser uploads one object straight to an S3 store. Pure: no clock, no I/O.
//
// Source   Amazon S3 API reference, "Browser-Based Uploads Using POST (AWS Signature Version 4)".
// Shape    fields in the order in which they must be sent; the file comes after them all, as the field "file".
//          Every field but policy and x-amz-signature has its condition, and each condition its field (Garage demands
//          both), so nothing can be added or changed. A store that took the upload answers 201.
// Units    bytes, both ends included; `now` is UTC, whole seconds; `expires` is 1..604800 seconds.
// Bytes    key and values are UTF-8 without control characters. "${filename}" is refused: stores would put the name of
//          the sender's file there.
// Errors   kInvalid   a value cannot stand in the form, a field is there twice, or a range is empty
// Security the signature binds key, type and size; what the bytes really are must be looked at afterwards.
// Missing  Cloudflare R2 and OpenStack Swift have no POST; use a presigned PUT there.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "storage/sigv4.h"
#include "storage/store_header.h"

namespace cloakroom {

struct FormField {
  std::string name;
  std::string value;
};
using FormFields = std::vector<FormField>;

struct PostPolicyInput {
  std::string_view bucket;
  std::string_view key;           // as it is, not percent-encoded
  std::string_view content_type;  // the only one that will be taken
  std::uint64_t min_bytes = 0, max_bytes = 0;
  std::chrono::seconds expires{};
  TimePoint now;
  // More fields, each fixed to its value: x-amz-meta-… (Ceph 16.2 takes a Content-Disposition here and forgets it).
  StoreHeaders extra = {};
};

Result<FormFields> post_policy_form(const PostPolicyInput& input, const SigningContext& context);

namespace post_policy_stage {  // exposed for tests only

// The signature of a policy that is base64 text already.
std::string signature(std::string_view policy, TimePoint now, const SigningContext& context);

}  // namespace post_policy_stage
}  // namespace cloakroom

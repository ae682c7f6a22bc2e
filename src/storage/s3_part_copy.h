// s3_part_copy.h — copies an object within the bucket in parts, for those that one CopyObject does not take.
//
// Order    create, UploadPartCopy of each part in turn, complete. In turn, for the store does the work: more at once
//          would only make it do less of everything else, and its silence be longer.
// Shape    parts of `part_bytes` at least, all equal but the last; ranges of x-amz-copy-source-range are inclusive.
//          No x-amz-copy-source-if-match: a source that is written to meanwhile makes a mixture, so whoever lets others
//          write to it judges the copy.
// Retry    a part that fails in passing is copied again, and so are complete and abort. Parts that are there are never
//          copied twice.
// Failure  the upload is aborted before the Error is returned. What was worth repeating was repeated (`was_repeated`),
//          unless the upload could not even be created. An abort that fails, too, is logged; the parts then wait for
//          the sweep (s3_leftovers.h).
// Times    no limit in all; a part that the store says nothing about for `silence` is given up.
// Errors   kTooLarge by the rules of parts; kNotFound the source is gone; kStore as s3_errors.h; 200 with an error
//          inside, a cut document or no ETag is retryable
// Lifetime the client is borrowed for the call.
#pragma once

#include <chrono>
#include <string_view>

#include "storage/retry.h"
#include "storage/s3_client.h"

namespace cloakroom {

struct PartCopy {
  std::string_view source;  // as in x-amz-copy-source: "/bucket/key", percent-encoded
  std::string_view key;
  StoreHeaders headers;  // of the new object
  std::uint64_t size_bytes = 0;
  std::chrono::seconds silence{};
};

struct PartCopyTools {
  RetryPolicy retry{.attempts = 5,
                    .base = std::chrono::milliseconds(200),
                    .throttled_base = std::chrono::milliseconds(1000),
                    .cap = std::chrono::milliseconds(5000)};
  RetryTools tools = system_retry_tools();
};

Status copy_in_parts(S3Client& client, const PartCopy& copy, const PartCopyTools& tools = {});

}  // namespace cloakroom

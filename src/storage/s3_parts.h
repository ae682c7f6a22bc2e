// s3_parts.h — stores a large file range by a multipart upload: several parts at once, in one thread.
//
// Order    create, parts, complete. While parts are sent the next one is read and hashed in small blocks, for its own
//          SHA-256 (sent as x-amz-content-sha256, so the store checks each part) and for the whole's, in one pass.
// Retry    a part that fails in passing is sent again, signed anew, after a pause by the rules of retry.h; so are
//          complete and abort. The client's options name the purse. Parts that arrived are never sent twice.
// Failure  the upload is aborted before the Error is returned. What was worth repeating was repeated (`was_repeated`),
//          unless the upload could not even be created. An abort that fails, too, is logged; the parts then wait for
//          the sweep (s3_leftovers.h).
// Memory   no part is held: limits::kS3PartsInFlight send buffers and the process's copy buffer.
// Errors   kTooLarge by the rules of parts; kInternal the file cannot be read; else as s3_errors.h
#pragma once

#include <string_view>

#include "storage/retry.h"
#include "storage/s3_client.h"

namespace cloakroom {

struct PartsUpload {
  std::string_view key;
  StoreHeaders headers;  // of the object
  FileRange bytes;
};

struct PartsTools {
  RetryPolicy retry{.attempts = 5,
                    .base = std::chrono::milliseconds(200),
                    .throttled_base = std::chrono::milliseconds(1000),
                    .cap = std::chrono::milliseconds(5000)};
  RetryTools tools = system_retry_tools();  // `sleep` is for complete and abort: parts do not wait for each other
};

// The SHA-256 of all bytes; they are durable then. The rules of parts are the client's options'.
Result<Sha256Digest> put_parts(S3Client& client, const PartsUpload& upload, const PartsTools& tools = {});

}  // namespace cloakroom

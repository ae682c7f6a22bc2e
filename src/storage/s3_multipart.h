// s3_multipart.h — the multipart operations of S3: create, complete, abort, and the list of what is unfinished.
//
// Shape    one request each (complete may look at the object, too). Nothing here repeats a request: an Error's
//          `retryable` says where the caller may. Sending the parts is s3_parts.h's.
// Life     an upload takes room in the store, unseen, until it is completed or aborted. Whoever creates one completes
// or
//          aborts it; what a killed process left is found by list_multipart() and swept.
// Source   Amazon S3 API reference; what stores do otherwise is said where it is coped with.
// Errors   as s3_errors.h; 200 with an error inside, or without an upload id, is a retryable kStore
// Lifetime the client is borrowed for the call.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "storage/s3_client.h"
#include "storage/s3_xml.h"

namespace cloakroom {

// The id of a new upload. `headers` are the object's: Content-Type, Cache-Control, x-amz-meta-*. Not to be repeated
// without need: an upload whose id was lost stays until it is swept.
Result<std::string> create_multipart(S3Client& client, std::string_view key, StoreHeaders headers);

struct MultipartRef {
  std::string_view key;
  std::string_view upload_id;
};

// Makes the parts one object of `size_bytes`. May be repeated: where the store no longer knows the upload, an object of
// that size under the key means that an earlier attempt had succeeded. Parts may come in any order.
Status complete_multipart(S3Client& client, const MultipartRef& upload, std::span<const S3Part> parts,
                          std::uint64_t size_bytes);

// Drops the upload and its parts. One that the store does not know (any more) is a success.
Status abort_multipart(S3Client& client, const MultipartRef& upload);

// One page of the unfinished uploads whose key begins with `prefix`, in the order of keys; `after` is the page before.
// kStore when the store would lead in a circle.
Result<S3UploadPage> list_multipart(S3Client& client, std::string_view prefix, const S3UploadPage& after = {});

}  // namespace cloakroom

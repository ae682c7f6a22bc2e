// s3_copy.h — the store copies an object of the bucket by itself; no byte comes here.
//
// Shape    HEAD of the source for its size, then CopyObject: PUT of the new key with x-amz-copy-source "/bucket/key",
// percent-encoded once ('+' as %2B: stores decode it
//          as a query). Metadata is REPLACEd by `meta`, all of it: what is not sent again is lost, the type included.
//          What one CopyObject does not take (S3Options::copy_in_parts_from_bytes, or the store says so) goes by
//          s3_part_copy.h.
// Times    no limit in all, for a large copy takes minutes; an answer that does not come for 5 minutes is given up.
// Errors   kNotFound  there is no such source
//          kTooLarge  as many and as large parts as the store takes do not hold it
//          kStore     as s3_errors.h; 200 with an error inside or a cut document is retryable
// Lifetime the client is borrowed for the call.
#pragma once

#include "storage/s3_client.h"

namespace cloakroom {

Status copy_object(S3Client& client, const ObjectKey& from, const ObjectKey& to, const ObjectMeta& meta);

}  // namespace cloakroom

// s3_delete.h — removes objects, one or many by a request.
//
// Shape    DeleteObjects for up to limits::kS3DeleteKeys keys at once; one DELETE each for keys that XML 1.0 cannot
//          carry, for a single key, and where the store has no DeleteObjects.
// Errors   an absent object is a success. kStore as s3_errors.h says; a request that failed is the outcome of all its
//          keys. Everything may be repeated.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "storage/s3_client.h"

namespace cloakroom {

Status delete_object(S3Client& client, std::string_view key);
// One outcome for each key, in order.
std::vector<Status> delete_objects(S3Client& client, std::span<const std::string_view> keys);

}  // namespace cloakroom

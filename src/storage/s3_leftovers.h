// s3_leftovers.h — drops multipart uploads that nobody will complete: their worker was killed, or could not abort them.
//
// Rule     an upload is left over when its key is one that we make and it was begun before `begun_before`. That must be
//          longer ago than any upload takes: one that is still under way is broken off, and fails.
// Why      parts take room, cost money and show in no list of objects.
// Errors   the store's. One upload that cannot be dropped does not save the others: its Error comes at the end.
#pragma once

#include <cstddef>
#include <string_view>

#include "base/time.h"
#include "storage/s3_client.h"

namespace cloakroom {

struct LeftoverRule {
  std::string_view key_prefix;
  TimePoint begun_before;  // by the store's clock
};

// How many were dropped.
Result<std::size_t> abort_leftovers(S3Client& client, const LeftoverRule& rule);

}  // namespace cloakroom

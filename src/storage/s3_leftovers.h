// s3_leftovers.h — drops multipart uploads that nobody will complete: their worker was killed, or could not abort them.
//
// Rule     an upload is left over when its key is one that we make and it was begun before `begun_before`. That must be
//          longer ago than any upload takes: one that is still under way is broken off, and fails.
//          Those of direct uploads, in quarantine, have their own time, for their browsers have it; and one whose
//          ticket knows it is the ticket's to end. So only those are dropped whose id was lost before it was written
//          down.
// Why      parts take room, cost money and show in no list of objects.
// Errors   the store's. One upload that cannot be dropped does not save the others: its Error comes at the end.
#pragma once

#include <cstddef>
#include <functional>
#include <string_view>

#include "base/id.h"
#include "base/time.h"
#include "storage/s3_client.h"
#include "storage/s3_xml.h"

namespace cloakroom {

struct LeftoverRule {
  std::string_view key_prefix;
  TimePoint begun_before;  // by the store's clock, as the next
  TimePoint quarantined_before;
  // Whether the ticket is there and names this upload; an Error keeps the upload.
  std::function<Result<bool>(const Uuid& ticket, std::string_view upload_id)> is_promised;
  bool is_rehearsal = false;                          // they are only counted
  std::function<void(const S3Upload&)> dropped = {};  // told of each, also in a rehearsal
};

// How many were dropped.
Result<std::size_t> abort_leftovers(S3Client& client, const LeftoverRule& rule);

}  // namespace cloakroom

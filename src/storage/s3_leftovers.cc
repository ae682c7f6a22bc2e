// s3_leftovers.cc — goes through the list of unfinished uploads.
#include "storage/s3_leftovers.h"

#include <optional>

#include "domain/object_key.h"
#include "storage/s3_multipart.h"

namespace cloakroom {

Result<std::size_t> abort_leftovers(S3Client& client, const LeftoverRule& rule) {
  std::size_t dropped = 0;
  std::optional<Error> failure;
  S3UploadPage page;
  do {
    TRY_ASSIGN(page, list_multipart(client, rule.key_prefix, page));
    for (const S3Upload& upload : page.uploads) {
      if (upload.initiated >= rule.begun_before || !is_own_key(rule.key_prefix, upload.key)) continue;
      Status aborted = abort_multipart(client, {upload.key, upload.id});
      if (aborted) {
        ++dropped;
      } else if (!failure) {
        failure = std::move(aborted).error();
      }
    }
  } while (page.truncated);
  if (failure) return *std::move(failure);
  return dropped;
}

}  // namespace cloakroom

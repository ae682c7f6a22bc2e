// s3_leftovers.cc — goes through the list of unfinished uploads.
#include "storage/s3_leftovers.h"

#include <optional>

#include "domain/object_key.h"
#include "storage/s3_multipart.h"

namespace cloakroom {
namespace {

Result<bool> is_left_over(const S3Upload& upload, const LeftoverRule& rule) {
  if (is_own_key(rule.key_prefix, upload.key)) return upload.initiated < rule.begun_before;
  const auto ticket = quarantined_ticket(rule.key_prefix, upload.key);
  if (!ticket || upload.initiated >= rule.quarantined_before) return false;
  TRY_ASSIGN(const bool is_promised, rule.is_promised(*ticket, upload.id));
  return !is_promised;
}

}  // namespace

Result<std::size_t> abort_leftovers(S3Client& client, const LeftoverRule& rule) {
  std::size_t dropped = 0;
  std::optional<Error> failure;
  S3UploadPage page;
  do {
    TRY_ASSIGN(page, list_multipart(client, rule.key_prefix, page));
    for (const S3Upload& upload : page.uploads) {
      Result<bool> left_over = is_left_over(upload, rule);
      if (left_over && !*left_over) continue;
      const auto drop = [&] {
        return rule.is_rehearsal ? Status(Ok{}) : abort_multipart(client, {upload.key, upload.id});
      };
      const Status aborted = left_over ? drop() : Status(std::move(left_over).error());
      if (aborted) {
        ++dropped;
        if (rule.dropped) rule.dropped(upload);
      } else if (!failure) {
        failure = aborted.error();
      }
    }
  } while (page.truncated);
  if (failure) return *std::move(failure);
  return dropped;
}

}  // namespace cloakroom

// stored_meta.cc — one shape for uploads, direct uploads and moves.
#include "domain/stored_meta.h"

#include <utility>

namespace cloakroom {

ObjectMeta stored_meta(const Attachment& attachment, const std::string& cache_control, const StoredHeadersOf& headers) {
  StoredHeaders told =
      headers ? headers(attachment) : StoredHeaders{.content_type = attachment.mime_type, .content_disposition = {}};
  return {.content_type = std::move(told.content_type),
          .content_disposition = std::move(told.content_disposition),
          .cache_control = cache_control,
          .attachment_id = to_string(attachment.id),
          .created_at = attachment.created_at};
}

}  // namespace cloakroom

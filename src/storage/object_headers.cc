// object_headers.cc — an ObjectMeta as header fields.
#include "storage/object_headers.h"

#include "base/encode.h"

namespace cloakroom {

Result<StoreHeaders> object_headers(const ObjectMeta& meta) {
  StoreHeaders headers{{"Content-Type", meta.content_type.empty() ? "application/octet-stream" : meta.content_type},
                       {"Content-Disposition", meta.content_disposition},
                       {"Cache-Control", meta.cache_control},
                       {"x-amz-meta-attachment-id", meta.attachment_id}};
  std::erase_if(headers, [](const StoreHeader& header) { return header.value.empty(); });
  for (const StoreHeader& header : headers) {
    if (!is_plain_ascii(header.value)) {
      return Error{Errc::kInvalid, "cannot store object: header '" + header.name + "' is not plain ASCII"};
    }
  }
  return headers;
}

}  // namespace cloakroom

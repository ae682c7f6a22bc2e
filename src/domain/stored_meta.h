// stored_meta.h — what a store keeps beside the bytes of an attachment, whatever way they came there.
#pragma once

#include <functional>
#include <string>

#include "domain/attachment.h"
#include "domain/ports.h"

namespace cloakroom {

// What a store tells those who fetch an object from it: a CDN, or whoever has a signed URL that says nothing else.
struct StoredHeaders {
  std::string content_type, content_disposition;
};
using StoredHeadersOf = std::function<StoredHeaders(const Attachment&)>;

// Without `headers`: the type alone.
ObjectMeta stored_meta(const Attachment& attachment, const std::string& cache_control, const StoredHeadersOf& headers);

}  // namespace cloakroom

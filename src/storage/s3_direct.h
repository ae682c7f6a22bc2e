// s3_direct.h — the port DirectStore over a bucket: presigned PUTs or a POST policy, and multipart uploads in parts.
//
// PUT      Content-Type, Content-Disposition and Content-Length are signed, so none can be another; the bytes are not
//          (UNSIGNED-PAYLOAD).
// POST     a policy of exactly this key, size and headers.
// Parts    presigned PUTs of one part each, with a signed Content-Length; the upload is begun with the headers.
// Headers  application/octet-stream and "attachment", whatever the bytes: a browser that comes upon the object, by a
// CDN
//          say, shows nothing. Both, for Ceph 16.2 forgets a Content-Disposition of a form.
// Where    the public endpoint; the store must let the page's origin in (CORS) and show it the ETag.
// Lifetime the client is borrowed.
#pragma once

#include "domain/direct_ports.h"
#include "storage/s3_client.h"

namespace cloakroom {

enum class DirectMethod { kPut, kPost };

class S3DirectStore final : public DirectStore {
 public:
  S3DirectStore(S3Client& client, DirectMethod method) : client_(client), method_(method) {}

  Result<BrowserRequest> sign_upload(const DirectObject& object, std::chrono::seconds expires) override;
  Result<BrowserRequest> sign_part(const PartsRef& upload, const PartOf& part, std::chrono::seconds expires) override;
  Result<std::string> begin_parts(const DirectObject& object) override;
  Status finish_parts(const PartsRef& upload, std::span<const UploadedPart> parts, std::uint64_t size_bytes) override;
  Status abort_parts(const PartsRef& upload) override;

 private:
  S3Client& client_;
  DirectMethod method_;
};

}  // namespace cloakroom

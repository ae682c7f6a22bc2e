// s3_direct.cc — what a browser is given to sign in our place.
#include "storage/s3_direct.h"

#include <algorithm>

#include "base/encode.h"
#include "storage/s3_multipart.h"

namespace cloakroom {
namespace {

const StoreHeader kNoType{"Content-Type", "application/octet-stream"};
const StoreHeader kSaved{"Content-Disposition", "attachment"};

}  // namespace

Result<BrowserRequest> S3DirectStore::sign_upload(const DirectObject& object, std::chrono::seconds expires) {
  BrowserRequest request;
  if (method_ == DirectMethod::kPost) {
    TRY_ASSIGN(PostForm form, client_.presign_post({.key = object.key.str(),
                                                    .content_type = kNoType.value,
                                                    .min_bytes = object.size_bytes,
                                                    .max_bytes = object.size_bytes,
                                                    .expires = expires,
                                                    .extra = {kSaved}}));
    request.method = "POST";
    request.url = std::move(form.url);
    for (FormField& field : form.fields) request.fields.emplace_back(std::move(field.name), std::move(field.value));
    return request;
  }
  request.method = "PUT";
  request.headers = {{kNoType.name, kNoType.value}, {kSaved.name, kSaved.value}};
  TRY_ASSIGN(request.url,
             client_.presign_url({.method = "PUT",
                                  .key = object.key.str(),
                                  .headers = {kNoType, kSaved, {"Content-Length", std::to_string(object.size_bytes)}},
                                  .expires = expires,
                                  .for_browser = true}));
  return request;
}

Result<BrowserRequest> S3DirectStore::sign_part(const PartsRef& upload, const PartOf& part,
                                                std::chrono::seconds expires) {
  BrowserRequest request;
  request.method = "PUT";
  const std::string query =
      "partNumber=" + std::to_string(part.number) + "&uploadId=" + percent_encode(upload.upload_id);
  TRY_ASSIGN(request.url, client_.presign_url({.method = "PUT",
                                               .key = upload.key.str(),
                                               .query = query,
                                               .headers = {{"Content-Length", std::to_string(part.size_bytes)}},
                                               .expires = expires,
                                               .for_browser = true}));
  return request;
}

Result<std::string> S3DirectStore::begin_parts(const DirectObject& object) {
  return create_multipart(client_, object.key.str(), {kNoType, kSaved});
}

Status S3DirectStore::finish_parts(const PartsRef& upload, std::span<const UploadedPart> parts,
                                   std::uint64_t size_bytes) {
  std::vector<S3Part> listed;
  for (const UploadedPart& part : parts) listed.push_back({part.number, part.etag});
  Status done = complete_multipart(client_, {upload.key.str(), upload.upload_id}, listed, size_bytes);
  // Away, it would be retryable: so it is the list that does not fit.
  if (!done && done.error().code == Errc::kStore && !done.error().retryable) {
    Error error = refuse(Errc::kConflict,
                         "The store has not got these parts. Upload those that are missing, then complete with the "
                         "ETag of each.");
    error.detail = done.error().detail;
    return error;
  }
  return done;
}

Status S3DirectStore::abort_parts(const PartsRef& upload) {
  return abort_multipart(client_, {upload.key.str(), upload.upload_id});
}

}  // namespace cloakroom

// s3.h — objects in a bucket of any store that speaks S3 with Signature Version 4.
//
// Shape    one signed request for each operation over one reused connection; the signature is made anew for every
// attempt. Bytes    put reads the file range twice: once for its SHA-256, which is sent as x-amz-content-sha256 and so
// checked by the
//          store, once for the body. Length exact, no chunked coding, no checksums beyond that one: every store takes
//          it.
// Reads    a body that breaks off is resumed by Range and If-Match, so a changed object is never mixed.
// Times    small calls 15 s in all; bodies have no limit but are given up when they stall; ready() 2.5 s.
// Errors   as BlobStore says; s3_errors.h has the table. Retries are retry.h's.
// Lifetime make it after fork(2): a connection and its TLS state must not be shared by processes. Not for two threads.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "domain/ports.h"
#include "storage/s3_client.h"

namespace cloakroom {

class S3Store final : public BlobStore, public Presigner {
 public:
  // kInvalid when endpoint, region, bucket or credentials cannot be right. No round trip.
  static Result<std::unique_ptr<S3Store>> make(const S3Options& options, const Clock& clock,
                                               StoreKind kind = StoreKind::kS3);

  StoreKind kind() const override { return kind_; }
  Status prepare() override;
  Status ready() override;
  Result<Sha256Digest> put(const ObjectKey& key, const FileRange& bytes, const ObjectMeta& meta) override;
  Result<ObjectInfo> head(const ObjectKey& key) override;
  Status get(const ObjectKey& key, const ByteRange& range, ByteSink& sink) override;
  Status remove(const ObjectKey& key) override;
  std::vector<Status> remove_many(std::span<const ObjectKey> keys) override;
  Status copy(const ObjectKey& from, const ObjectKey& to, const ObjectMeta& meta) override;

  // GET or HEAD only; stores bind a signature to its method.
  Result<std::string> presign(const ObjectKey& key, const PresignRequest& request) override;
  // Whoever uses the path must send host() as Host.
  Result<std::string> presign_path(const ObjectKey& key, const PresignRequest& request) override;
  Result<bool> is_temporary() override { return client_->is_temporary(); }
  // For what a BlobStore cannot do: s3_list.h, s3_bucket.h and the like.
  S3Client& client() { return *client_; }
  const std::string& host() const { return client_->internal().host; }

 private:
  S3Store(std::unique_ptr<S3Client> client, StoreKind kind) : client_(std::move(client)), kind_(kind) {}

  Result<HttpAnswer> head_bucket(std::chrono::milliseconds timeout);
  Result<HttpAnswer> create_bucket(bool with_region);

  std::unique_ptr<S3Client> client_;
  StoreKind kind_;
};

}  // namespace cloakroom

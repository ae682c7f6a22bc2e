// s3_objects.h — the objects of a bucket below a prefix, as an audit wants them: with repeated calls, times, the
// store's clock.
//
// Order    the store's: AWS and all stores we know sort by the bytes of the keys; whoever needs it checks.
// Errors   as s3_list.h; kStore a time that cannot be read.
// Lifetime the client is borrowed.
#pragma once

#include <string>

#include "domain/audit_ports.h"
#include "storage/retry.h"
#include "storage/s3_list.h"

namespace cloakroom {

class S3Objects final : public ObjectListing {
 public:
  S3Objects(S3Client& client, Retrier retrier, std::string prefix)
      : client_(client), retrier_(std::move(retrier)), listing_(client, {.prefix = std::move(prefix)}) {}

  Result<std::optional<ListedObject>> next() override;
  TimePoint now() const override { return client_.now(); }

 private:
  S3Client& client_;
  Retrier retrier_;
  S3Listing listing_;
};

}  // namespace cloakroom

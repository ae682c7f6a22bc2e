// s3_copy.cc — the request of CopyObject, and what its answer means.
#include "storage/s3_copy.h"

#include "base/encode.h"
#include "storage/object_headers.h"
#include "storage/s3_errors.h"

namespace cloakroom {
namespace {

constexpr std::chrono::minutes kSilence{5};  // a store may copy gigabytes before it says a word

}  // namespace

Status copy_object(S3Client& client, const ObjectKey& from, const ObjectKey& to, const ObjectMeta& meta) {
  S3Request request{.method = "PUT", .key = to.str(), .stall = kSilence, .timeout = std::chrono::milliseconds(0)};
  request.headers = {{"x-amz-copy-source", "/" + client.options().bucket + "/" + percent_encode_path(from.str())},
                     {"x-amz-metadata-directive", "REPLACE"}};
  TRY_ASSIGN(const StoreHeaders kept, object_headers(meta));
  request.headers.insert(request.headers.end(), kept.begin(), kept.end());
  TRY_ASSIGN(const HttpAnswer answer, client.call(request));
  Status done = check_result("PUT copy", answer, "CopyObjectResult");
  if (!done && s3_error_code(answer) == "EntityTooLarge") {
    return Error{Errc::kTooLarge, "cannot copy: larger than one CopyObject"};
  }
  return done;
}

}  // namespace cloakroom

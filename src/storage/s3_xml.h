// s3_xml.h — the XML documents of S3: errors, and the requests and answers that have one.
//
// Source   Amazon S3 API reference, "REST error responses"; Ceph, MinIO and Garage send the same root element.
// Security no DTD, no entities but XML's five; the caller caps the size (limits::kS3ErrorBodyBytes).
// Errors   kInvalid   not XML, or its root is not <Error>
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace cloakroom {

struct S3ErrorBody {
  std::string code;  // "NoSuchKey"
  std::string message;
  std::string region;  // the bucket's own, in an answer about a wrong one; else empty
};

Result<S3ErrorBody> parse_s3_error(std::string_view xml);

// The name of the root element of a whole document ("Error", "CopyObjectResult"). kInvalid when it is cut or no XML.
Result<std::string> xml_root(std::string_view xml);

// The body of CreateBucket. `region` is [a-z0-9-].
std::string create_bucket_xml(std::string_view region);

// Multipart uploads. The <UploadId> of an InitiateMultipartUploadResult; kInvalid when there is none or it is empty.
Result<std::string> parse_upload_id(std::string_view xml);

// The <ETag> of a CopyPartResult; kInvalid when there is none or it is empty.
Result<std::string> parse_copied_etag(std::string_view xml);

struct S3Part {
  unsigned number = 0;  // from 1
  std::string etag;     // as the store sent it, quotes and all
};
// The body of CompleteMultipartUpload. `parts` must be in the order of their numbers: stores refuse others.
std::string complete_multipart_xml(std::span<const S3Part> parts);

struct S3Upload {
  std::string key;
  std::string id;
  TimePoint initiated{};  // by the store's clock
};
struct S3UploadPage {
  std::vector<S3Upload> uploads;
  bool truncated = false;
  std::string next_key, next_id;  // where the next page begins; both empty on the last one
};
// A ListMultipartUploadsResult; keys are decoded when it says that they are encoded.
Result<S3UploadPage> parse_upload_page(std::string_view xml);

}  // namespace cloakroom

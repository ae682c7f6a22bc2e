// s3_xml.h — what an S3 error document says.
//
// Source   Amazon S3 API reference, "REST error responses"; Ceph, MinIO and Garage send the same root element.
// Security no DTD, no entities but XML's five; the caller caps the size (limits::kS3ErrorBodyBytes).
// Errors   kInvalid   not XML, or its root is not <Error>
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

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

}  // namespace cloakroom

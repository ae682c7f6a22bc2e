// s3_xml_bucket.h — the documents of calls about a whole bucket: listing, versions, removal of many. Pure.
//
// Source   Amazon S3 API reference: ListObjectsV2, ListObjects, ListObjectVersions, DeleteObjects.
// Bytes    names in a listing are percent-encoded, with '+' for a space, only where the answer says EncodingType url.
// Security as s3_xml_load.h; the caller caps the size.
// Errors   kInvalid   not XML, another root, or a value that is not of its form
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace cloakroom {

struct S3ListedObject {
  std::string key;
  std::uint64_t size_bytes = 0;
  std::string etag;           // as the store wrote it, quotes and all
  std::string last_modified;  // UTC, "2026-01-31T09:30:00.000Z"; sorts as text
};

struct S3ListPage {
  std::vector<S3ListedObject> objects;
  bool is_truncated = false;
  std::string token;          // of ListObjectsV2, for the next page
  std::string marker;         // of ListObjects: NextMarker, or else the last key
  bool is_version_1 = false;  // an answer of ListObjects, whatever was asked for
};
Result<S3ListPage> parse_s3_list(std::string_view xml);

std::string delete_objects_xml(std::span<const std::string_view> keys);  // quiet: only failures are answered
struct S3DeleteFailure {
  std::string key, code;
};
Result<std::vector<S3DeleteFailure>> parse_delete_result(std::string_view xml);

struct S3ObjectVersion {
  std::string key;
  std::string id;  // "null" for what was there before the bucket kept versions
};
// Versions and delete markers of a ListVersionsResult.
Result<std::vector<S3ObjectVersion>> parse_s3_versions(std::string_view xml);

}  // namespace cloakroom

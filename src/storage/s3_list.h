// s3_list.h — the objects of a bucket, one after the other.
//
// Shape    next() gives an object, then nothing at the end. ListObjectsV2 with encoding-type=url and continuation
//          tokens; ListObjects with markers where the store refuses or does not know version 2.
// Order    the store's own: AWS and most others sort keys by bytes.
// Memory   one page: at most `page_keys` times limits::kS3KeyEntryBytes of XML.
// Errors   kStore   as s3_errors.h says; and for a listing that goes on without saying where, that goes in a circle,
//          or that names keys outside of the prefix: whoever deletes what is listed must not be led astray.
//          After an error next() may be called again (by Retrier::repeat, say) and goes on where it was.
// Lifetime the client is borrowed.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "storage/s3_client.h"
#include "storage/s3_xml_bucket.h"

namespace cloakroom {

struct S3ListOptions {
  std::string prefix = {};       // empty = all
  std::string start_after = {};  // a key; empty = from the beginning
  unsigned page_keys = 1000;
};

class S3Listing {
 public:
  S3Listing(S3Client& client, S3ListOptions options) : client_(client), options_(std::move(options)) {}

  Result<std::optional<S3ListedObject>> next();

 private:
  std::string query() const;
  Result<S3ListPage> read_page();
  Status fetch();

  S3Client& client_;
  S3ListOptions options_;
  S3ListPage page_;
  std::size_t taken_ = 0;   // of the page's objects
  std::string position_;    // continuation token, or marker
  bool has_begun_ = false;  // a page has come
  bool is_at_end_ = false;
  bool is_version_1_ = false;
};

}  // namespace cloakroom

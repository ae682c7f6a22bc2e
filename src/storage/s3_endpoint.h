// s3_endpoint.h — where a bucket is: scheme, host and path in front of every key.
//
// Shape    path style     http://127.0.0.1:7480/bucket/key       Host: 127.0.0.1:7480
//          virtual style  https://bucket.s3.eu-west-1.amazonaws.com/key
// Rule     auto = virtual style for AWS endpoints and bucket names that are one DNS label, path style for all else:
//          a '.' in the name breaks the TLS wildcard, and other stores serve virtual hosts only when told to.
// Errors   kInvalid   the endpoint is not http(s)://host[:port][/], or bucket or region are malformed
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace cloakroom {

enum class S3Addressing { kAuto, kPath, kVirtual };

std::optional<S3Addressing> parse_s3_addressing(std::string_view text);  // "auto", "path", "virtual"

bool is_s3_region(std::string_view text);  // [a-z0-9-]{1,63}

// Whether a bucket of this name can be addressed as a host: a '.' would break the TLS wildcard.
bool is_dns_label(std::string_view text);

struct S3BucketName {
  std::string_view endpoint;  // empty = AWS in `region`
  std::string_view region;    // empty = us-east-1
  std::string_view bucket;
  S3Addressing addressing = S3Addressing::kAuto;
};

struct S3Location {
  std::string scheme;       // "http" or "https"
  std::string host;         // as in the Host header: lower case, port unless it is the scheme's own, IPv6 in brackets
  std::string path_prefix;  // "/bucket" or ""

  std::string path(std::string_view key) const;  // percent-encoded once
  std::string base() const { return scheme + "://" + host; }
};

Result<S3Location> locate_bucket(const S3BucketName& name);

}  // namespace cloakroom

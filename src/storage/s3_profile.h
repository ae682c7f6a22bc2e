// s3_profile.h — what each store that calls itself S3 does differently: one row of plain data a store.
//
// Source   docs/s3.md, section "Stores", with where each fact comes from and which are doubtful.
// Rule     kUnsure counts as no: what a store may lack is not used until S3_PROVIDER or a profile says it is there.
//          `cloakroom check` tries every Fact on the real store and says where it differs from its row.
// Same     for all, hence no columns: no ACL, tag or encryption header is ever sent; no aws-chunked coding, no trailer;
//          the body's SHA-256 is sent and signed; parts of one upload are of equal size, for R2 refuses others. No
//          checksum header (x-amz-checksum-*) is sent, whatever the column says.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "storage/s3_endpoint.h"

namespace cloakroom {

enum class S3Provider { kAws, kMinio, kR2, kB2, kCeph, kGarage, kSeaweedfs, kSpaces, kWasabi, kSwift, kOther };

enum class Fact { kNo, kYes, kUnsure };

struct S3Profile {
  S3Provider provider;
  std::string_view name;         // the word of S3_PROVIDER
  std::string_view domain;       // an endpoint's host that ends in it is this store's; "" = tells nothing
  std::string_view host_word;    // the same for one word of a host name ("minio-1.lan"); "" = tells nothing
  S3Addressing addressing;       // kAuto: virtual below amazonaws.com, else path
  std::string_view region;       // in the signature, when nobody named one
  bool region_in_host;           // the label before `domain` is the region, unless it is "s3"
  Fact unsigned_payload;         // takes UNSIGNED-PAYLOAD for a body (presigned PUT needs it); over https alone for AWS
  Fact checksums;                // takes x-amz-checksum-*
  bool content_md5;              // asks for it beside DeleteObjects, PutBucketCors and PutBucketLifecycle, or takes it
  std::uint64_t min_part_bytes;  // of every part but the last
  unsigned max_parts;
  Fact post_policy;         // form uploads with content-length-range; else browsers get a presigned PUT
  Fact cors_api;            // PutBucketCors; else the administrator of the store sets it
  Fact lifecycle_abort;     // AbortIncompleteMultipartUpload in a lifecycle rule
  Fact conditional_put;     // If-None-Match: *
  Fact response_overrides;  // response-content-disposition and -type in a presigned URL
  Fact delete_keeps_bytes;  // DELETE without versionId only hides, in a new bucket, and need not say so
};

std::span<const S3Profile> all_s3_profiles();
const S3Profile& s3_profile(S3Provider provider);
std::optional<S3Provider> parse_s3_provider(std::string_view name);

// By the host of an endpoint as in settings ("https://s3.eu-central-003.backblazeb2.com"): its domain, else a word of
// its labels ("http://minio:9000", "https://s3.garage.lan"), else kOther.
S3Provider guess_s3_provider(std::string_view endpoint);

// The region to sign for when the settings name none.
std::string s3_default_region(const S3Profile& profile, std::string_view endpoint);

// What `configured` means for this store and bucket: kAuto becomes the profile's, and virtual only for a bucket whose
// name is one DNS label.
S3Addressing s3_addressing(const S3Profile& profile, S3Addressing configured, std::string_view bucket);

}  // namespace cloakroom

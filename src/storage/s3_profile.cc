// s3_profile.cc — the table of stores, and the guess which of them an endpoint is.
#include "storage/s3_profile.h"

#include <algorithm>
#include <array>

#include "base/aws_host.h"

namespace cloakroom {
namespace {

constexpr std::uint64_t kFiveMiB = 5ULL << 20;

constexpr std::array kProfiles{
    S3Profile{.provider = S3Provider::kAws,
              .name = "aws",
              .domain = "amazonaws.com",
              .host_word = "",
              .addressing = S3Addressing::kAuto,
              .region = "us-east-1",
              .region_in_host = true,
              .unsigned_payload = Fact::kYes,
              .checksums = Fact::kYes,
              .content_md5 = true,
              .min_part_bytes = kFiveMiB,
              .max_parts = 10000,
              .post_policy = Fact::kYes,
              .cors_api = Fact::kYes,
              .lifecycle_abort = Fact::kYes,
              .conditional_put = Fact::kYes,
              .response_overrides = Fact::kYes,
              .delete_keeps_bytes = Fact::kNo},
    S3Profile{.provider = S3Provider::kMinio,
              .name = "minio",
              .domain = "min.io",
              .host_word = "minio",
              .addressing = S3Addressing::kPath,  // virtual hosts only with MINIO_DOMAIN
              .region = "us-east-1",
              .region_in_host = false,
              .unsigned_payload = Fact::kYes,
              .checksums = Fact::kUnsure,  // new versions
              .content_md5 = true,
              .min_part_bytes = kFiveMiB,
              .max_parts = 10000,
              .post_policy = Fact::kYes,
              .cors_api = Fact::kNo,  // MINIO_API_CORS_ALLOW_ORIGIN for the whole server, * unless set
              .lifecycle_abort = Fact::kUnsure,
              .conditional_put = Fact::kUnsure,
              .response_overrides = Fact::kYes,
              .delete_keeps_bytes = Fact::kNo},
    S3Profile{.provider = S3Provider::kR2,
              .name = "r2",
              .domain = "r2.cloudflarestorage.com",
              .host_word = "",
              .addressing = S3Addressing::kPath,
              .region = "auto",
              .region_in_host = false,  // the label before is the account or the jurisdiction
              .unsigned_payload = Fact::kYes,
              .checksums = Fact::kUnsure,  // partly, since 2025
              .content_md5 = true,
              .min_part_bytes = kFiveMiB,
              .max_parts = 10000,
              .post_policy = Fact::kNo,
              .cors_api = Fact::kYes,
              .lifecycle_abort = Fact::kYes,
              .conditional_put = Fact::kYes,
              .response_overrides = Fact::kUnsure,  // not documented, and reported as ignored
              .delete_keeps_bytes = Fact::kNo},
    S3Profile{.provider = S3Provider::kB2,
              .name = "b2",
              .domain = "backblazeb2.com",
              .host_word = "",
              .addressing = S3Addressing::kPath,
              .region = "us-west-001",
              .region_in_host = true,
              .unsigned_payload = Fact::kUnsure,
              .checksums = Fact::kNo,  // 400
              .content_md5 = true,
              .min_part_bytes = kFiveMiB,
              .max_parts = 10000,
              .post_policy = Fact::kUnsure,
              .cors_api = Fact::kUnsure,
              .lifecycle_abort = Fact::kUnsure,
              .conditional_put = Fact::kUnsure,
              .response_overrides = Fact::kUnsure,
              .delete_keeps_bytes = Fact::kYes},
    S3Profile{.provider = S3Provider::kCeph,
              .name = "ceph",
              .domain = "",
              .host_word = "ceph",
              .addressing = S3Addressing::kPath,  // virtual hosts only with rgw_dns_name
              .region = "us-east-1",              // not checked
              .region_in_host = false,
              .unsigned_payload = Fact::kYes,
              .checksums = Fact::kUnsure,  // 16.2 ignores them
              .content_md5 = true,
              .min_part_bytes = kFiveMiB,
              .max_parts = 10000,
              .post_policy = Fact::kYes,
              .cors_api = Fact::kYes,
              .lifecycle_abort = Fact::kYes,
              .conditional_put = Fact::kYes,
              .response_overrides = Fact::kYes,
              .delete_keeps_bytes = Fact::kNo},
    S3Profile{.provider = S3Provider::kGarage,
              .name = "garage",
              .domain = "",
              .host_word = "garage",
              .addressing = S3Addressing::kPath,  // virtual hosts only with root_domain
              .region = "garage",                 // refuses any other than its own s3_region
              .region_in_host = false,
              .unsigned_payload = Fact::kYes,
              .checksums = Fact::kYes,
              .content_md5 = true,
              .min_part_bytes = kFiveMiB,
              .max_parts = 10000,
              .post_policy = Fact::kYes,
              .cors_api = Fact::kYes,
              .lifecycle_abort = Fact::kYes,
              .conditional_put = Fact::kUnsure,
              .response_overrides = Fact::kYes,
              .delete_keeps_bytes = Fact::kNo},
    S3Profile{.provider = S3Provider::kSeaweedfs,
              .name = "seaweedfs",
              .domain = "",
              .host_word = "seaweedfs",
              .addressing = S3Addressing::kPath,
              .region = "us-east-1",  // any
              .region_in_host = false,
              .unsigned_payload = Fact::kUnsure,
              .checksums = Fact::kUnsure,
              .content_md5 = true,
              .min_part_bytes = kFiveMiB,
              .max_parts = 10000,
              .post_policy = Fact::kYes,
              .cors_api = Fact::kYes,
              .lifecycle_abort = Fact::kUnsure,
              .conditional_put = Fact::kUnsure,
              .response_overrides = Fact::kUnsure,
              .delete_keeps_bytes = Fact::kNo},
    S3Profile{.provider = S3Provider::kSpaces,
              .name = "spaces",
              .domain = "digitaloceanspaces.com",
              .host_word = "",
              .addressing = S3Addressing::kVirtual,
              .region = "us-east-1",
              .region_in_host = true,
              .unsigned_payload = Fact::kYes,
              .checksums = Fact::kUnsure,
              .content_md5 = true,
              .min_part_bytes = kFiveMiB,
              .max_parts = 10000,
              .post_policy = Fact::kUnsure,
              .cors_api = Fact::kYes,
              .lifecycle_abort = Fact::kYes,
              .conditional_put = Fact::kUnsure,
              .response_overrides = Fact::kUnsure,
              .delete_keeps_bytes = Fact::kNo},
    S3Profile{.provider = S3Provider::kWasabi,
              .name = "wasabi",
              .domain = "wasabisys.com",
              .host_word = "",
              .addressing = S3Addressing::kPath,
              .region = "us-east-1",  // s3.wasabisys.com
              .region_in_host = true,
              .unsigned_payload = Fact::kYes,
              .checksums = Fact::kUnsure,
              .content_md5 = true,
              .min_part_bytes = kFiveMiB,
              .max_parts = 10000,
              .post_policy = Fact::kUnsure,
              .cors_api = Fact::kYes,
              .lifecycle_abort = Fact::kUnsure,
              .conditional_put = Fact::kUnsure,
              .response_overrides = Fact::kYes,
              .delete_keeps_bytes = Fact::kNo},
    S3Profile{.provider = S3Provider::kSwift,
              .name = "swift",
              .domain = "",
              .host_word = "swift",
              .addressing = S3Addressing::kPath,  // virtual hosts only with storage_domain
              .region = "us-east-1",              // refuses any other than its own `location`
              .region_in_host = false,
              .unsigned_payload = Fact::kYes,
              .checksums = Fact::kUnsure,
              .content_md5 = true,
              .min_part_bytes = kFiveMiB,
              .max_parts = 1000,
              .post_policy = Fact::kNo,
              .cors_api = Fact::kNo,         // cors_preflight_allow_origin for the whole cluster
              .lifecycle_abort = Fact::kNo,  // a listing instead
              .conditional_put = Fact::kNo,  // 501
              .response_overrides = Fact::kYes,
              .delete_keeps_bytes = Fact::kNo},
    S3Profile{.provider = S3Provider::kOther,
              .name = "other",
              .domain = "",
              .host_word = "",
              .addressing = S3Addressing::kAuto,
              .region = "us-east-1",
              .region_in_host = false,
              .unsigned_payload = Fact::kUnsure,
              .checksums = Fact::kUnsure,
              .content_md5 = true,
              .min_part_bytes = kFiveMiB,
              .max_parts = 1000,  // the least of all stores known
              .post_policy = Fact::kUnsure,
              .cors_api = Fact::kUnsure,
              .lifecycle_abort = Fact::kUnsure,
              .conditional_put = Fact::kUnsure,
              .response_overrides = Fact::kUnsure,
              .delete_keeps_bytes = Fact::kUnsure}};

// The part of `host` before ".domain"; nullopt when it does not end so. AWS's hosts in China have a ".cn" behind.
std::optional<std::string_view> before_domain(std::string_view host, std::string_view domain) {
  if (domain.empty()) return std::nullopt;
  if (is_aws_host(host) && host.ends_with(".cn")) host.remove_suffix(3);
  if (!host.ends_with(domain)) return std::nullopt;
  host.remove_suffix(domain.size());
  if (!host.ends_with('.')) return std::nullopt;
  host.remove_suffix(1);
  return host;
}

// "minio" is a word of "minio", "minio2", "eu-minio-1.lan".
bool has_word(std::string_view host, std::string_view word) {
  while (!host.empty()) {
    const std::size_t end = std::min(host.find_first_of(".-_"), host.size());
    std::string_view piece = host.substr(0, end);
    while (!piece.empty() && piece.back() >= '0' && piece.back() <= '9') piece.remove_suffix(1);
    if (piece == word) return true;
    host.remove_prefix(std::min(end + 1, host.size()));
  }
  return false;
}

}  // namespace

std::span<const S3Profile> all_s3_profiles() {
  return kProfiles;
}

const S3Profile& s3_profile(S3Provider provider) {
  const auto* found = std::find_if(kProfiles.begin(), kProfiles.end(),
                                   [provider](const S3Profile& p) { return p.provider == provider; });
  if (found == kProfiles.end()) BUG("an S3 provider without a profile");
  return *found;
}

std::optional<S3Provider> parse_s3_provider(std::string_view name) {
  for (const S3Profile& p : kProfiles) {
    if (p.name == name) return p.provider;
  }
  return std::nullopt;
}

S3Provider guess_s3_provider(std::string_view endpoint) {
  const std::string host = url_host(endpoint);
  for (const S3Profile& p : kProfiles) {
    if (before_domain(host, p.domain)) return p.provider;
  }
  for (const S3Profile& p : kProfiles) {
    if (!p.host_word.empty() && has_word(host, p.host_word)) return p.provider;
  }
  return S3Provider::kOther;
}

std::string s3_default_region(const S3Profile& profile, std::string_view endpoint) {
  const std::string host = url_host(endpoint);
  const auto before = profile.region_in_host ? before_domain(host, profile.domain) : std::nullopt;
  if (before) {
    const std::string_view label = before->substr(before->rfind('.') + 1);  // rfind of nothing + 1 is 0
    if (!label.empty() && !label.starts_with("s3")) return std::string(label);
  }
  return std::string(profile.region);
}

S3Addressing s3_addressing(const S3Profile& profile, S3Addressing configured, std::string_view bucket) {
  if (configured != S3Addressing::kAuto) return configured;
  if (profile.addressing == S3Addressing::kVirtual && !is_dns_label(bucket)) return S3Addressing::kPath;
  return profile.addressing;
}

}  // namespace cloakroom

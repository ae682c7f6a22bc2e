// s3_endpoint.cc — parses an endpoint and decides between path and virtual style.
#include "storage/s3_endpoint.h"

#include <algorithm>

#include "base/aws_host.h"
#include "base/encode.h"

namespace cloakroom {
namespace {

bool is_lower_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

// Wider than AWS allows today: upper case and '_' exist in old buckets and in other stores.
bool is_bucket(std::string_view text) {
  return text.size() >= 3 && text.size() <= 255 && text.find("..") == std::string_view::npos &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z') || c == '-' || c == '.' || c == '_';
         });
}

bool is_host(std::string_view text) {
  if (text.size() > 2 && text.front() == '[' && text.back() == ']') {
    const std::string_view inner = text.substr(1, text.size() - 2);
    return inner.find_first_not_of("0123456789abcdef:.") == std::string_view::npos;
  }
  return !text.empty() && text.size() <= 253 && std::all_of(text.begin(), text.end(), [](char c) {
    return is_lower_or_digit(c) || c == '-' || c == '.' || c == '_';
  });
}

Error bad_endpoint(std::string_view endpoint) {
  return Error{Errc::kInvalid, "cannot use S3 endpoint '" + std::string(endpoint) +
                                   "': wanted http://host, https://host or the same with a port"};
}

}  // namespace

bool is_s3_region(std::string_view text) {
  return !text.empty() && text.size() <= 63 &&
         std::all_of(text.begin(), text.end(), [](char c) { return is_lower_or_digit(c) || c == '-'; });
}

bool is_dns_label(std::string_view text) {
  return !text.empty() && text.size() <= 63 && is_lower_or_digit(text.front()) && is_lower_or_digit(text.back()) &&
         std::all_of(text.begin(), text.end(), [](char c) { return is_lower_or_digit(c) || c == '-'; });
}

std::optional<S3Addressing> parse_s3_addressing(std::string_view text) {
  if (text == "auto") return S3Addressing::kAuto;
  if (text == "path") return S3Addressing::kPath;
  if (text == "virtual") return S3Addressing::kVirtual;
  return std::nullopt;
}

std::string S3Location::path(std::string_view key) const {
  return path_prefix + "/" + percent_encode_path(key);
}

Result<S3Location> locate_bucket(const S3BucketName& name) {
  if (!name.region.empty() && !is_s3_region(name.region)) {
    return Error{Errc::kInvalid, "cannot use S3 region '" + std::string(name.region) + "': wanted a-z, 0-9 and '-'"};
  }
  if (!is_bucket(name.bucket)) {
    return Error{Errc::kInvalid, "cannot use S3 bucket '" + std::string(name.bucket) + "': not a bucket name"};
  }
  const std::string endpoint = name.endpoint.empty() ? aws_url("s3", name.region) : std::string(name.endpoint);
  std::string rest = ascii_lower(endpoint);
  S3Location location;
  for (const std::string_view scheme : {"http", "https"}) {
    if (rest.rfind(std::string(scheme) + "://", 0) == 0) location.scheme = scheme;
  }
  if (location.scheme.empty()) return bad_endpoint(endpoint);
  rest.erase(0, location.scheme.size() + 3);
  if (!rest.empty() && rest.back() == '/') rest.pop_back();

  const std::size_t colon = rest.find(':', rest.find(']') == std::string::npos ? 0 : rest.find(']'));
  location.host = rest.substr(0, colon);
  if (!is_host(location.host)) return bad_endpoint(endpoint);
  std::string port;
  if (colon != std::string::npos) {
    const auto number = parse_u64(std::string_view(rest).substr(colon + 1));
    if (!number || *number == 0 || *number > 65535) return bad_endpoint(endpoint);
    if (*number != (location.scheme == "https" ? 443U : 80U)) port = ":" + std::to_string(*number);
  }

  const bool can_be_virtual = is_dns_label(name.bucket) && location.host.front() != '[';
  if (name.addressing == S3Addressing::kVirtual && !can_be_virtual) {
    return Error{Errc::kInvalid, "cannot address bucket '" + std::string(name.bucket) + "' as a host name"};
  }
  const bool is_virtual = name.addressing == S3Addressing::kVirtual ||
                          (name.addressing == S3Addressing::kAuto && can_be_virtual && is_aws_host(location.host));
  if (is_virtual) {
    location.host.insert(0, std::string(name.bucket) + ".");
  } else {
    location.path_prefix = "/" + std::string(name.bucket);
  }
  location.host += port;
  return location;
}

}  // namespace cloakroom

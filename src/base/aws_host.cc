// aws_host.cc — names below amazonaws.com and amazonaws.com.cn.
#include "base/aws_host.h"

#include "base/encode.h"

namespace cloakroom {
namespace {

constexpr std::string_view kDomain = ".amazonaws.com";
constexpr std::string_view kChina = ".cn";

// What stands before the domain; "" when it is another's.
std::string_view before_domain(std::string_view host) {
  if (host.ends_with(kChina)) host.remove_suffix(kChina.size());
  if (!host.ends_with(kDomain)) return {};
  return host.substr(0, host.size() - kDomain.size());
}

}  // namespace

std::string aws_url(std::string_view service, std::string_view region) {
  if (region.empty()) region = "us-east-1";
  std::string url = "https://" + std::string(service) + "." + std::string(region) + std::string(kDomain);
  if (region.starts_with("cn-")) url += kChina;
  return url;
}

std::string url_host(std::string_view url) {
  const std::size_t scheme = url.find("://");
  if (scheme != std::string_view::npos) url.remove_prefix(scheme + 3);
  return ascii_lower(url.substr(0, url.find_first_of(":/")));
}

bool is_aws_host(std::string_view host) {
  return !before_domain(host).empty();
}

std::string_view aws_region_in(std::string_view host) {
  const std::string_view before = before_domain(host);
  const std::string_view label = before.substr(before.rfind('.') + 1);  // rfind of nothing + 1 is 0
  return label.starts_with("s3") ? std::string_view() : label;
}

}  // namespace cloakroom

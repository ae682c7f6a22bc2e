// aws_host.h — the host names of AWS: which URLs lead there, and where a service of a region is.
//
// Source   AWS General Reference, "Service endpoints", and "Amazon Web Services in China: endpoints": the regions cn-*
// lie
//          below amazonaws.com.cn.
#pragma once

#include <string>
#include <string_view>

namespace cloakroom {

// "https://sts.eu-west-1.amazonaws.com". No region: us-east-1.
std::string aws_url(std::string_view service, std::string_view region);

// The host of a URL, "https://Minio:9000/" -> "minio"; of one with an address in brackets nothing of use.
std::string url_host(std::string_view url);

// Of a host in lower case, without a port.
bool is_aws_host(std::string_view host);
// "eu-west-1" of "s3.dualstack.eu-west-1.amazonaws.com"; "" where none is named, or it is no host of AWS.
std::string_view aws_region_in(std::string_view host);

}  // namespace cloakroom

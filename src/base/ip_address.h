// ip_address.h — one spelling for each IP address.
//
// Shape    "192.0.2.7", "2001:db8::1"; an IPv4 address mapped into IPv6 (::ffff:192.0.2.7) becomes the IPv4 one.
// Source   inet_pton(3); RFC 5952 for the spelling of IPv6.
// Errors   kInvalid: not an address, or one with a zone or a port.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace cloakroom {

Result<std::string> canonical_ip(std::string_view text);

// What one client has: an IPv4 address, or the /64 around an IPv6 one, "2001:db8:0:1::".
Result<std::string> client_network(std::string_view text);

// "192.0.2.0/24", "2001:db8::/32" or a single address, as nginx takes them.
bool is_network(std::string_view text);

}  // namespace cloakroom

// ip_address.cc — by inet_pton(3) and inet_ntop(3).
#include "base/ip_address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <iterator>

#include "base/encode.h"

namespace cloakroom {

Result<std::string> canonical_ip(std::string_view text) {
  const std::string copy(text);
  const Error wrong{Errc::kInvalid, "not an IP address"};
  if (copy.size() >= INET6_ADDRSTRLEN || copy.find('\0') != std::string::npos) return wrong;
  std::array<char, INET6_ADDRSTRLEN> out{};
  in_addr v4{};
  if (inet_pton(AF_INET, copy.c_str(), &v4) == 1) return copy;  // takes the one dotted spelling alone
  in6_addr v6{};
  if (inet_pton(AF_INET6, copy.c_str(), &v6) != 1) return wrong;
  const bool mapped = IN6_IS_ADDR_V4MAPPED(&v6);
  const void* from = mapped ? static_cast<const void*>(&v6.s6_addr[12]) : static_cast<const void*>(&v6);
  if (inet_ntop(mapped ? AF_INET : AF_INET6, from, out.data(), out.size()) == nullptr) return wrong;
  return std::string(out.data());
}

Result<std::string> client_network(std::string_view text) {
  TRY_ASSIGN(std::string ip, canonical_ip(text));
  in6_addr v6{};
  if (inet_pton(AF_INET6, ip.c_str(), &v6) != 1) return ip;
  std::fill(std::begin(v6.s6_addr) + 8, std::end(v6.s6_addr), std::uint8_t{0});
  std::array<char, INET6_ADDRSTRLEN> out{};
  if (inet_ntop(AF_INET6, &v6, out.data(), out.size()) == nullptr) return Error{Errc::kInvalid, "not an IP address"};
  return std::string(out.data());
}

bool is_network(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto ip = canonical_ip(text.substr(0, slash));
  if (!ip) return false;
  if (slash == std::string_view::npos) return true;
  const auto bits = parse_u64(text.substr(slash + 1));
  return bits && *bits <= (text.find(':') == std::string_view::npos ? 32U : 128U);
}

}  // namespace cloakroom

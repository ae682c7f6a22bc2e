// config_limits.cc — rates and networks, as they are written.
#include "base/config_limits.h"

#include "base/ip_address.h"

namespace cloakroom {
namespace {

constexpr std::uint64_t kMostConnections = 65535;    // nginx's own
constexpr std::uint64_t kMostFiles = 1000000000000;  // sums of it are far from the end of int8

Rate rate_setting(Reader& in, std::string_view name) {
  const auto rate = parse_rate(in.text(name));
  if (rate) return *rate;
  in.problem(name, rate.error().detail);
  return {};
}

std::uint64_t amount_setting(Reader& in, std::string_view name) {
  return in.text(name) == "0" ? 0 : in.bytes(name);
}

}  // namespace

LimitsConfig read_limits(Reader& in) {
  LimitsConfig c;
  c.user = {rate_setting(in, "RATE_UPLOADS"), rate_setting(in, "RATE_DOWNLOADS"), rate_setting(in, "RATE_MISSES")};
  c.address = {rate_setting(in, "RATE_UPLOADS_ADDRESS"), rate_setting(in, "RATE_DOWNLOADS_ADDRESS"),
               rate_setting(in, "RATE_MISSES_ADDRESS")};
  c.user_quota = {amount_setting(in, "QUOTA_USER_BYTES"), in.number("QUOTA_USER_FILES", 0, kMostFiles)};
  c.dialog_quota = {amount_setting(in, "QUOTA_DIALOG_BYTES"), in.number("QUOTA_DIALOG_FILES", 0, kMostFiles)};
  const std::string proxies = in.text("TRUSTED_PROXIES");
  for (const std::string_view item : split(proxies, ',')) {
    if (!is_network(item)) {
      in.problem("TRUSTED_PROXIES", fmt::format("'{}' is not an address or a network such as 10.0.0.0/8", item));
    }
    c.trusted_proxies.emplace_back(item);
  }
  c.nginx_requests = rate_setting(in, "NGINX_LIMIT_REQUESTS");
  if (c.nginx_requests.is_on() && c.nginx_requests.period > std::chrono::minutes(1)) {
    in.problem("NGINX_LIMIT_REQUESTS", "nginx counts by the second or the minute: write it as N/s or N/m");
  }
  c.nginx_connections = static_cast<std::uint32_t>(in.number("NGINX_LIMIT_CONNECTIONS", 0, kMostConnections));
  return c;
}

}  // namespace cloakroom

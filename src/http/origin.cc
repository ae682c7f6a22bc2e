// origin.cc — the rules of origin.h as code.
#include "http/origin.h"

#include <algorithm>

#include "base/encode.h"

namespace cloakroom {
namespace {

bool holds(const std::vector<std::string>& list, std::string_view origin) {
  return std::find(list.begin(), list.end(), origin) != list.end();
}

std::string_view origin_of(const Request& request) {
  return request.header("HTTP_ORIGIN");
}

bool is_listed(const Request& request, const OriginRules& rules) {
  return holds(rules.listed, origin_of(request));
}

// nginx's REQUEST_SCHEME, or what other servers say (HTTPS=on).
std::string_view scheme_of(const Request& request) {
  if (const std::string_view scheme = request.header("REQUEST_SCHEME"); !scheme.empty()) return scheme;
  const std::string_view https = request.header("HTTPS");
  return https.empty() || ascii_iequal(https, "off") ? "http" : "https";
}

bool is_own(const Request& request, const OriginRules& rules) {
  if (!rules.site.empty()) return holds(rules.site, origin_of(request));
  const std::string_view host = request.header("HTTP_HOST");
  return !host.empty() && origin_of(request) == std::string(scheme_of(request)) + "://" + ascii_lower(host);
}

}  // namespace

bool proves_origin(const Request& request, const OriginRules& rules) {
  if (const std::string_view site = request.header("HTTP_SEC_FETCH_SITE"); !site.empty()) {
    return site == "same-origin" || site == "none" || is_listed(request, rules);
  }
  if (!origin_of(request).empty()) return is_own(request, rules) || is_listed(request, rules);
  return request.header("HTTP_COOKIE").empty();
}

HeaderList cors_headers(const Request& request, const OriginRules& rules) {
  if (rules.listed.empty()) return {};
  HeaderList headers{{"Vary", "Origin"}};
  if (!is_listed(request, rules)) return headers;
  headers.emplace_back("Access-Control-Allow-Origin", origin_of(request));
  headers.emplace_back("Access-Control-Allow-Credentials", "true");
  headers.emplace_back("Access-Control-Expose-Headers", kExposedHeaders);
  return headers;
}

bool is_preflight(const Request& request, const OriginRules& rules) {
  return request.method == "OPTIONS" && !request.header("HTTP_ACCESS_CONTROL_REQUEST_METHOD").empty() &&
         is_listed(request, rules);
}

HeaderList preflight_headers() {
  return {{"Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, PATCH, DELETE"},
          {"Access-Control-Allow-Headers",
           "Authorization, Content-Type, Range, If-Range, If-Match, If-None-Match, If-Modified-Since, "
           "If-Unmodified-Since"},
          {"Access-Control-Max-Age", "600"}};  // so long a browser remembers an origin that is listed no more
}

}  // namespace cloakroom

// origin.h — from whose page a browser's request comes: the proof that a write needs, and what CORS answers. Pure.
//
// Source   Fetch Metadata (Sec-Fetch-Site), RFC 6454 (Origin), Fetch standard section 3.3 (CORS protocol); OWASP's
//          Cross-Site Request Forgery Prevention Cheat Sheet: fetch metadata first, Origin where there is none.
// Proof    Sec-Fetch-Site: same-origin, none            yes
//          another one                                  if Origin is listed
//          none such, Origin                            if it is the site's own, or listed
//          neither, no Cookie                           yes: every browser sends one of them with a write
//          neither, but a Cookie                        no
// Lists    origins as browsers write them: lower case, no default port, no path.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/request.h"

namespace cloakroom {

struct OriginRules {
  std::vector<std::string> site;    // of the site's own pages; empty: the scheme and host that the server saw
  std::vector<std::string> listed;  // of other pages that may do what the site's own may
};

// Whether the request shows that no foreign page made the browser send it.
bool proves_origin(const Request& request, const OriginRules& rules);

// What scripts of listed origins may read beyond the few that CORS shows anyway.
inline constexpr std::string_view kExposedHeaders =
    "X-Request-Id, Location, ETag, Accept-Ranges, Content-Range, Content-Disposition, Retry-After, "
    "RateLimit, RateLimit-Policy";

using HeaderList = std::vector<std::pair<std::string, std::string>>;

// What every answer says to scripts of other origins; nothing when no origin is listed.
HeaderList cors_headers(const Request& request, const OriginRules& rules);

// A browser asks whether a listed origin may send a request; the answer is the same for every address.
bool is_preflight(const Request& request, const OriginRules& rules);
HeaderList preflight_headers();

}  // namespace cloakroom

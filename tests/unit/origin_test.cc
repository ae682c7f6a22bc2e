// origin_test.cc — which writes a foreign page cannot have sent, and what other origins are told.
#include "http/origin.h"

#include <map>
#include <string>

#include "check.h"
#include "fake/exchange.h"

using namespace cloakroom;
using fake::FakeExchange;

namespace {

using Variables = std::map<std::string, std::string>;

const OriginRules kPlain{};
const OriginRules kListed{.site = {}, .listed = {"https://app.example", "http://127.0.0.1:81"}};
const OriginRules kSite{.site = {"https://chat.example"}, .listed = {}};

// With a cookie, on http://chat.example:8080, unless `more` says otherwise.
struct Asked {
  FakeExchange exchange;
  Request request;
  Asked(std::string_view method, Variables more) {
    exchange.variables = {{"HTTP_HOST", "chat.example:8080"}, {"REQUEST_SCHEME", "http"}, {"HTTP_COOKIE", "a=b"}};
    for (const auto& [name, value] : more) exchange.variables[name] = value;
    request.exchange = &exchange;
    request.method = method;
  }
};

bool proves(Variables more, const OriginRules& rules = kPlain) {
  return proves_origin(Asked("POST", std::move(more)).request, rules);
}

std::string value(const HeaderList& headers, std::string_view name) {
  for (const auto& [key, text] : headers) {
    if (key == name) return text;
  }
  return "(absent)";
}

}  // namespace

static void fetch_metadata_decides_where_there_is_some() {
  CHECK(proves({{"HTTP_SEC_FETCH_SITE", "same-origin"}}));
  CHECK(proves({{"HTTP_SEC_FETCH_SITE", "none"}}));  // a person's own doing, not a page's
  for (const char* site : {"same-site", "cross-site", "Same-Origin", "same-origin, none", "x"}) {
    CHECK(!proves({{"HTTP_SEC_FETCH_SITE", site}}));
    // an Origin that looks right does not help: no browser sends the two together
    CHECK(!proves({{"HTTP_SEC_FETCH_SITE", site}, {"HTTP_ORIGIN", "http://chat.example:8080"}}));
    CHECK(proves({{"HTTP_SEC_FETCH_SITE", site}, {"HTTP_ORIGIN", "https://app.example"}}, kListed));
  }
}

static void without_it_the_origin_must_be_our_own() {
  CHECK(proves({{"HTTP_ORIGIN", "http://chat.example:8080"}}));
  CHECK(proves({{"HTTP_ORIGIN", "http://chat.example:8080"}, {"HTTP_HOST", "Chat.Example:8080"}}));
  CHECK(proves({{"HTTP_ORIGIN", "https://chat.example"}, {"HTTP_HOST", "chat.example"}, {"REQUEST_SCHEME", "https"}}));
  for (const char* foreign : {"https://chat.example:8080", "http://chat.example", "http://chat.example:80800", "null",
                              "http://evil.example", "http://chat.example:8080.evil.example", "http://", "x"})
    CHECK(!proves({{"HTTP_ORIGIN", foreign}}));
  CHECK(!proves({{"HTTP_ORIGIN", "http://"}, {"HTTP_HOST", ""}}));
}

static void other_servers_say_https_in_their_own_way() {
  const Variables https{{"HTTP_ORIGIN", "https://chat.example:8080"}, {"REQUEST_SCHEME", ""}, {"HTTPS", "on"}};
  CHECK(proves(https));
  CHECK(!proves({{"HTTP_ORIGIN", "https://chat.example:8080"}, {"REQUEST_SCHEME", ""}, {"HTTPS", "off"}}));
  CHECK(proves({{"HTTP_ORIGIN", "http://chat.example:8080"}, {"REQUEST_SCHEME", ""}}));
}

static void a_site_behind_a_tls_proxy_says_its_name() {
  CHECK(proves({{"HTTP_ORIGIN", "https://chat.example"}}, kSite));
  CHECK(!proves({{"HTTP_ORIGIN", "http://chat.example:8080"}}, kSite));
}

static void listed_origins_may_write() {
  CHECK(proves({{"HTTP_ORIGIN", "https://app.example"}}, kListed));
  CHECK(proves({{"HTTP_ORIGIN", "http://127.0.0.1:81"}}, kListed));
  CHECK(!proves({{"HTTP_ORIGIN", "http://app.example"}}, kListed));
  CHECK(!proves({{"HTTP_ORIGIN", "https://app.example.evil.example"}}, kListed));
}

static void a_program_sends_neither_header_nor_cookie() {
  CHECK(proves({{"HTTP_COOKIE", ""}}));
  CHECK(!proves({}));
}

static void cors_is_closed_unless_an_origin_is_listed() {
  CHECK(cors_headers(Asked("POST", {{"HTTP_ORIGIN", "https://app.example"}}).request, kPlain).empty());
  for (const char* other : {"https://evil.example", "null", "", "https://app.example:443"}) {
    const HeaderList headers = cors_headers(Asked("POST", {{"HTTP_ORIGIN", other}}).request, kListed);
    CHECK_EQ(headers.size(), 1u);
    CHECK_EQ(value(headers, "Vary"), "Origin");
  }
  const HeaderList open = cors_headers(Asked("POST", {{"HTTP_ORIGIN", "https://app.example"}}).request, kListed);
  CHECK_EQ(value(open, "Access-Control-Allow-Origin"), "https://app.example");
  CHECK_EQ(value(open, "Access-Control-Allow-Credentials"), "true");
  CHECK_EQ(value(open, "Vary"), "Origin");
  CHECK_EQ(value(open, "Access-Control-Expose-Headers"), std::string(kExposedHeaders));
}

static void a_preflight_is_an_options_of_a_listed_origin() {
  const Variables good{{"HTTP_ORIGIN", "https://app.example"}, {"HTTP_ACCESS_CONTROL_REQUEST_METHOD", "PUT"}};
  CHECK(is_preflight(Asked("OPTIONS", good).request, kListed));
  CHECK(!is_preflight(Asked("PUT", good).request, kListed));
  CHECK(!is_preflight(Asked("OPTIONS", good).request, kPlain));
  CHECK(!is_preflight(Asked("OPTIONS", {{"HTTP_ORIGIN", "https://app.example"}}).request, kListed));
  CHECK(!is_preflight(
      Asked("OPTIONS", {{"HTTP_ORIGIN", "https://x"}, {"HTTP_ACCESS_CONTROL_REQUEST_METHOD", "PUT"}}).request,
      kListed));
}

int main() {
  const CMUnitTest tests[] = {
      CASE(fetch_metadata_decides_where_there_is_some),
      CASE(without_it_the_origin_must_be_our_own),
      CASE(other_servers_say_https_in_their_own_way),
      CASE(a_site_behind_a_tls_proxy_says_its_name),
      CASE(listed_origins_may_write),
      CASE(a_program_sends_neither_header_nor_cookie),
      CASE(cors_is_closed_unless_an_origin_is_listed),
      CASE(a_preflight_is_an_options_of_a_listed_origin),
  };
  return RUN_TESTS("origin", tests);
}

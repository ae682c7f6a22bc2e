// router_test.cc — paths to routes, with nothing normalised and nothing dangerous let through as a parameter.
#include "http/router.h"

#include <array>
#include <string>

#include "base/limits.h"
#include "check.h"

using namespace cloakroom;

namespace {

constexpr std::array kPatterns = std::to_array<RoutePattern>({
    {"GET HEAD", "/files/{id}/{filename}"},            // 0
    {"GET HEAD", "/files/{id}/{variant}/{filename}"},  // 1
    {"GET HEAD", "/attachments/{id}"},                 // 2
    {"DELETE", "/attachments/{id}"},                   // 3
    {"POST", "/attachments/link"},                     // 4
    {"GET HEAD", "^/healthz"},                         // 5
    {"POST", "/upload"},                               // 6
    {"PUT", "/upload/{filename}"},                     // 7
    {"GET", "/x/{a}/c"},                               // 8
    {"GET", "/x/b/{c}"},                               // 9
});

// "route:param|param", "none" or "405 allow"
std::string found(std::string_view method, std::string_view path, const std::string& prefix = "/api") {
  const RouteAnswer answer = Router(prefix, kPatterns).match(method, path);
  if (std::holds_alternative<NoSuchPath>(answer)) return "none";
  if (const auto* other = std::get_if<MethodNotAllowed>(&answer)) return "405 " + other->allow;
  const auto& match = std::get<PathMatch>(answer);
  std::string text = std::to_string(match.route) + ":";
  for (const std::string& param : match.params) text += (text.back() == ':' ? "" : "|") + param;
  return text;
}

}  // namespace

static void constants_and_parameters_find_their_route() {
  CHECK_EQ(found("GET", "/api/files/7/a.jpg"), "0:7|a.jpg");
  CHECK_EQ(found("HEAD", "/api/files/7/thumb/a.jpg"), "1:7|thumb|a.jpg");
  CHECK_EQ(found("POST", "/api/upload"), "6:");
  CHECK_EQ(found("PUT", "/api/upload/x"), "7:x");
}

static void the_same_path_with_other_methods_is_another_route() {
  CHECK_EQ(found("GET", "/api/attachments/7"), "2:7");
  CHECK_EQ(found("DELETE", "/api/attachments/7"), "3:7");
  CHECK_EQ(found("PATCH", "/api/attachments/7"), "405 GET, HEAD, DELETE");
  CHECK_EQ(found("get", "/api/attachments/7"), "405 GET, HEAD, DELETE");
  CHECK_EQ(found("GET HEAD", "/api/attachments/7"), "405 GET, HEAD, DELETE");
  CHECK_EQ(found("", "/api/upload"), "405 POST");
}

static void a_constant_segment_wins_over_a_parameter() {
  CHECK_EQ(found("POST", "/api/attachments/link"), "4:");
  CHECK_EQ(found("GET", "/api/attachments/link"), "405 POST");
  CHECK_EQ(found("GET", "/api/x/b/c"), "9:c");
  CHECK_EQ(found("GET", "/api/x/a/c"), "8:a");
}

static void the_prefix_holds_for_all_but_absolute_patterns() {
  CHECK_EQ(found("GET", "/healthz"), "5:");
  CHECK_EQ(found("GET", "/api/healthz"), "none");
  CHECK_EQ(found("POST", "/upload"), "none");
  CHECK_EQ(found("POST", "/apiupload"), "none");
  CHECK_EQ(found("POST", "/upload", ""), "6:");
  CHECK_EQ(found("POST", "/a/b/upload", "/a/b"), "6:");
  CHECK_EQ(found("GET", "/healthz", "/a/b"), "5:");
}

static void nothing_is_normalised() {
  for (const std::string_view path :
       {"", "/", "/api", "/api/", "api/upload", "//api/upload", "/api//upload", "/api/upload/", "/api/./upload",
        "/api/x/../upload", "/api/%75pload", "/API/upload", "/api/upload?x", "/api/upload#", "/api/files/7/",
        "/api/files//a", "/api/files/7/a/", "/api/upload/a/b"}) {
    if (found("POST", path) != "none") t::raise(__FILE__, __LINE__, "found: " + std::string(path));
  }
}

static void parameters_are_decoded_once() {
  CHECK_EQ(found("PUT", "/api/upload/%C3%9Cn%C3%AF%20%22q%22+%252F"), "7:\xC3\x9Cn\xC3\xAF \"q\"+%2F");
  CHECK_EQ(found("PUT", "/api/upload/..."), "7:...");
  CHECK_EQ(found("PUT", "/api/upload/%2E%2Ex"), "7:..x");
}

static void dangerous_parameters_find_no_route() {
  for (const std::string_view bad : {".", "..", "%2e", "%2E%2e", ".%2e", "a%2Fb", "%2f", "a%00b", "%00", "a%0Ab",
                                     "a%0d", "%1F", "%7f", "%", "%4", "%zz", "a%"}) {
    if (found("PUT", "/api/upload/" + std::string(bad)) != "none")
      t::raise(__FILE__, __LINE__, "found: " + std::string(bad));
  }
  CHECK_EQ(found("PUT", std::string_view("/api/upload/a\0b", 15)), "none");
  CHECK_EQ(found("PUT", "/api/upload/a\nb"), "none");
}

static void a_path_may_be_as_long_as_the_limit() {
  const std::string start = "/api/upload/";
  const std::string name(limits::kPathBytes - start.size(), 'a');
  CHECK_EQ(found("PUT", start + name), "7:" + name);
  CHECK_EQ(found("PUT", start + name + "a"), "none");
}

static void very_many_segments_find_no_route() {
  std::string path = "/api/files";
  for (int i = 0; i < 500; ++i) path += "/a";
  CHECK_EQ(found("GET", path), "none");
  const std::array longest = std::to_array<RoutePattern>({{"GET", "/{b}/3/4/5/6/7/8/9/10/11/12"}});
  const Router router("/1", longest);
  CHECK(std::holds_alternative<PathMatch>(router.match("GET", "/1/2/3/4/5/6/7/8/9/10/11/12")));
  CHECK(std::holds_alternative<NoSuchPath>(router.match("GET", "/1/2/3/4/5/6/7/8/9/10/11/12/13")));
}

int main() {
  const CMUnitTest tests[] = {
      CASE(constants_and_parameters_find_their_route),
      CASE(the_same_path_with_other_methods_is_another_route),
      CASE(a_constant_segment_wins_over_a_parameter),
      CASE(the_prefix_holds_for_all_but_absolute_patterns),
      CASE(nothing_is_normalised),
      CASE(parameters_are_decoded_once),
      CASE(dangerous_parameters_find_no_route),
      CASE(a_path_may_be_as_long_as_the_limit),
      CASE(very_many_segments_find_no_route),
  };
  return RUN_TESTS("router", tests);
}

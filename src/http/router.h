// router.h — which route a method and a raw path mean. Pure; built once, then only read.
//
// Shape    A pattern is "/files/{id}/{filename}": constant segments and {name} for exactly one segment. It stands under
//          the router's prefix unless it begins with '^': "^/healthz". Where several patterns fit, the one whose first
//          differing segment is constant wins, whatever the method: /attachments/link is never an attachment named
//          "link". The same pattern may come several times with different methods.
// Bytes    Paths are compared as sent, nothing is normalised: "//", "/./", a last '/' and %66iles find no route. A
//          parameter is percent-decoded once; then it is not empty, "." or "..", and has no '/', NUL or control
//          character. It may be ill-formed UTF-8.
// Lifetime The patterns are copied.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace cloakroom {

struct RoutePattern {
  std::string_view methods;  // "GET HEAD"
  std::string_view pattern;
};

struct PathMatch {
  std::size_t route = 0;            // index in the patterns given
  std::vector<std::string> params;  // decoded, in the pattern's order
};
struct NoSuchPath {};
struct MethodNotAllowed {
  std::string allow;  // "GET, HEAD, DELETE": the value of the Allow header
};
using RouteAnswer = std::variant<PathMatch, NoSuchPath, MethodNotAllowed>;

class Router {
 public:
  // REQUIRES: prefix is "" or begins and does not end with '/'; each pattern begins with '/' (after '^'), has a method,
  // no empty segment and with the prefix at most 12 of them. A pattern that does not is a fault of the program: BUG().
  explicit Router(std::string prefix, std::span<const RoutePattern> patterns);

  // `raw_path` is the path as the client sent it, without the query.
  RouteAnswer match(std::string_view method, std::string_view raw_path) const;

 private:
  struct Route {
    std::vector<std::string> methods;
    std::vector<std::string> segments;  // "" is a parameter
  };

  std::vector<Route> routes_;
};

}  // namespace cloakroom

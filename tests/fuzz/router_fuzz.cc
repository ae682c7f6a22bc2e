// router_fuzz.cc — any method, any path: no dangerous parameter gets through, and a match is stable under re-encoding.
//
// Input    a line: the method; the rest: the path
#include <algorithm>
#include <array>
#include <cstdint>
#include <string>

#include "base/encode.h"
#include "base/limits.h"
#include "base/result.h"
#include "http/router.h"

using namespace cloakroom;

namespace {

constexpr std::array kPatterns = std::to_array<RoutePattern>({
    {"GET HEAD", "/files/{id}/{filename}"},
    {"GET HEAD", "/files/{id}/{variant}/{filename}"},
    {"GET HEAD", "/attachments/{id}"},
    {"DELETE", "/attachments/{id}"},
    {"POST", "/attachments/link"},
    {"GET HEAD", "^/healthz"},
    {"PUT", "/upload/{filename}"},
});

// The path of a route with its parameters written anew.
std::string rebuild(const PathMatch& match) {
  std::string_view rest = kPatterns[match.route].pattern;
  std::string path = rest.starts_with('^') ? "" : "/api";
  if (rest.starts_with('^')) rest.remove_prefix(1);
  for (const std::string& param : match.params) {
    const std::size_t open = rest.find('{');
    if (open == std::string_view::npos) BUG("more parameters than the pattern has");
    path += rest.substr(0, open);
    path += percent_encode(param);
    rest.remove_prefix(rest.find('}') + 1);
  }
  if (rest.find('{') != std::string_view::npos) BUG("fewer parameters than the pattern has");
  return path += rest;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Router router("/api", kPatterns);
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t line_end = std::min(input.find('\n'), input.size());
  const std::string_view method = input.substr(0, line_end);
  const std::string_view path = input.substr(std::min(line_end + 1, input.size()));

  const RouteAnswer answer = router.match(method, path);
  if (const auto* other = std::get_if<MethodNotAllowed>(&answer); other != nullptr && other->allow.empty())
    BUG("empty Allow");
  const auto* match = std::get_if<PathMatch>(&answer);
  if (match == nullptr) return 0;
  if (path.size() > limits::kPathBytes || path.find("//") != std::string_view::npos) BUG("path should not match");
  bool is_constant_elsewhere = false;
  for (const std::string& param : match->params) {
    if (param.empty() || param == "." || param == "..") BUG("empty or dot parameter");
    if (has_control(param) || param.find('/') != std::string::npos)
      BUG("separator or control character in a parameter");
    if (param == "link") is_constant_elsewhere = true;  // sent as %6Cink
  }
  const std::string again = rebuild(*match);
  if (is_constant_elsewhere || again.size() > limits::kPathBytes) return 0;
  const RouteAnswer second = router.match(method, again);
  const auto* same = std::get_if<PathMatch>(&second);
  if (same == nullptr || same->route != match->route || same->params != match->params)
    BUG("re-encoding changes the match");
  return 0;
}

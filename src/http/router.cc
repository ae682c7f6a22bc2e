// router.cc — a handful of routes, compared one after the other: no index is worth its code for so few.
#include "http/router.h"

#include <algorithm>
#include <array>
#include <optional>

#include "base/encode.h"
#include "base/limits.h"
#include "base/result.h"

namespace cloakroom {
namespace {

constexpr std::size_t kMostSegments = 12;  // of prefix and pattern together

// Splits "/a/b" into "a", "b" and "/a/" into "a", "". Nothing is dropped: an empty segment finds no route by itself.
struct Segments {
  std::array<std::string_view, kMostSegments> parts;
  std::size_t count = 0;
};

std::optional<Segments> split_path(std::string_view path) {
  if (!path.starts_with('/')) return std::nullopt;
  Segments segments;
  while (!path.empty()) {
    if (segments.count == kMostSegments) return std::nullopt;
    path.remove_prefix(1);
    const std::size_t end = std::min(path.find('/'), path.size());
    segments.parts[segments.count++] = path.substr(0, end);
    path.remove_prefix(end);
  }
  return segments;
}

std::vector<std::string> split_words(std::string_view words) {
  std::vector<std::string> out;
  while (!words.empty()) {
    const std::size_t end = std::min(words.find(' '), words.size());
    if (end > 0) out.emplace_back(words.substr(0, end));
    words.remove_prefix(std::min(end + 1, words.size()));
  }
  return out;
}

std::optional<std::string> decode_param(std::string_view segment) {
  Result<std::string> decoded = percent_decode(segment);
  if (!decoded || decoded->empty() || *decoded == "." || *decoded == "..") return std::nullopt;
  if (has_control(*decoded) || decoded->find('/') != std::string::npos) return std::nullopt;
  return std::move(*decoded);
}

// Whether `a` is to be preferred to `b`, which fits the same path.
bool more_constant(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i].empty() != b[i].empty()) return b[i].empty();
  }
  return false;
}

bool fits(const std::vector<std::string>& pattern, const Segments& path) {
  if (pattern.size() != path.count) return false;
  for (std::size_t i = 0; i < path.count; ++i) {
    if (pattern[i].empty() ? !decode_param(path.parts[i]) : pattern[i] != path.parts[i]) return false;
  }
  return true;
}

}  // namespace

Router::Router(std::string prefix, std::span<const RoutePattern> patterns) {
  if (!prefix.empty() && (prefix.front() != '/' || prefix.back() == '/')) BUG("malformed route prefix");
  for (const RoutePattern& given : patterns) {
    const bool absolute = given.pattern.starts_with('^');
    const std::string path = absolute ? std::string(given.pattern.substr(1)) : prefix + std::string(given.pattern);
    const std::optional<Segments> segments = split_path(path);
    if (!segments || (!absolute && !given.pattern.starts_with('/'))) BUG("malformed route pattern");
    Route route{.methods = split_words(given.methods), .segments = {}};
    if (route.methods.empty()) BUG("route without a method");
    for (std::size_t i = 0; i < segments->count; ++i) {
      const std::string_view part = segments->parts[i];
      if (part.empty()) BUG("route pattern with an empty segment");
      const bool is_param = part.front() == '{' && part.back() == '}';
      route.segments.emplace_back(is_param ? std::string_view() : part);
    }
    routes_.push_back(std::move(route));
  }
}

RouteAnswer Router::match(std::string_view method, std::string_view raw_path) const {
  if (raw_path.size() > limits::kPathBytes) return NoSuchPath{};
  const std::optional<Segments> path = split_path(raw_path);
  if (!path) return NoSuchPath{};

  const Route* best = nullptr;
  for (const Route& route : routes_) {
    if (fits(route.segments, *path) && (best == nullptr || more_constant(route.segments, best->segments)))
      best = &route;
  }
  if (best == nullptr) return NoSuchPath{};

  MethodNotAllowed other;
  for (const Route& route : routes_) {
    if (route.segments != best->segments) continue;
    for (const std::string& allowed : route.methods) {
      if (allowed != method) {
        other.allow += (other.allow.empty() ? "" : ", ") + allowed;
        continue;
      }
      PathMatch match{.route = static_cast<std::size_t>(&route - routes_.data()), .params = {}};
      for (std::size_t i = 0; i < path->count; ++i) {
        if (route.segments[i].empty()) match.params.push_back(*decode_param(path->parts[i]));
      }
      return match;
    }
  }
  return other;
}

}  // namespace cloakroom

// config_public.cc — a private file must not get a public address, nor a public one a header that forbids to keep it.
#include "base/config_public.h"

#include <algorithm>

#include "base/encode.h"

namespace cloakroom {
namespace {

// Under an address the bytes never change.
constexpr std::string_view kPublic = "public, max-age=31536000, immutable";
constexpr std::string_view kPrivate = "private, max-age=86400, immutable";
constexpr std::string_view kPrivateObjects = "public, max-age=3600";  // seen only by who has a signed URL

// Keys are appended, and a query or a fragment would swallow them. A user name would be handed to every visitor.
bool is_cdn_url(std::string_view url) {
  constexpr std::string_view kScheme = "https://";
  if (!url.starts_with(kScheme)) return false;
  const std::string_view rest = url.substr(kScheme.size());
  const std::string_view host = rest.substr(0, rest.find('/'));
  const auto plain = [](std::string_view text, std::string_view others) {
    return std::all_of(text.begin(), text.end(), [&](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
             others.find(c) != std::string_view::npos;
    });
  };
  const bool dots = rest.find("//") != std::string_view::npos || rest.find("/.") != std::string_view::npos;
  return !host.empty() && host.front() != '.' && plain(host, ".-:") && plain(rest, ".-:/_~") && !dots;
}

bool forbids_sharing(std::string_view cache_control) {
  const std::string lower = ascii_lower(cache_control);
  return lower.find("private") != std::string::npos || lower.find("no-store") != std::string::npos;
}

}  // namespace

void fill_caching(Config& config) {
  const bool is_public = config.visibility == "public";
  if (config.cache_control.empty()) config.cache_control = is_public ? kPublic : kPrivate;
  if (config.object_cache_control.empty()) config.object_cache_control = is_public ? kPublic : kPrivateObjects;
}

std::vector<SettingProblem> public_problems(const Config& config) {
  std::vector<SettingProblem> found;
  const bool is_public = config.visibility == "public";
  if (!config.cdn_url.empty()) {
    if (!is_cdn_url(config.cdn_url)) {
      found.push_back({"CDN_URL",
                       "is not an address such as https://cdn.example.com or https://cdn.example.com/files "
                       "(https, no user, no query, no fragment)"});
    }
    if (!is_public) {
      found.push_back({"CDN_URL", "needs VISIBILITY=public: a CDN would show private files to everybody"});
    }
    if (!config.is_in_s3()) {
      found.push_back({"CDN_URL", "needs STORAGE=s3 or s3-secondary: a CDN fetches from the bucket"});
    }
  }
  if (is_public && forbids_sharing(config.cache_control)) {
    found.push_back({"CACHE_CONTROL", "says private or no-store, but VISIBILITY is public"});
  }
  if (is_public && forbids_sharing(config.object_cache_control)) {
    found.push_back({"OBJECT_CACHE_CONTROL", "says private or no-store, but VISIBILITY is public"});
  }
  return found;
}

}  // namespace cloakroom

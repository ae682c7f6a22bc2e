// config_legacy.cc — a path and a folder that may stand in nginx's configuration.
#include "base/config_legacy.h"

#include <algorithm>
#include <filesystem>

namespace cloakroom {
namespace {

// Quotes, spaces, ; and $ would need escaping there.
bool is_plain_path(std::string_view path) {
  return path.starts_with('/') && path.find("//") == std::string_view::npos &&
         path.find("/.") == std::string_view::npos && std::all_of(path.begin(), path.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  std::string_view("/._-~").find(c) != std::string_view::npos;
         });
}

bool is_within(const std::string& inner, const std::string& outer) {
  return inner == outer || inner.starts_with(outer + "/");
}

// Whoever is let in at the old addresses would be let in at all that we keep.
void check_root(Reader& in, const Config& config) {
  const auto normal = [](const std::string& path) {
    std::string text = std::filesystem::path(path).lexically_normal().string();
    while (text.size() > 1 && text.ends_with('/')) text.pop_back();
    return text;
  };
  const std::string root = normal(config.legacy.root), bodies = normal(config.body_temp_path);
  if (is_within(normal(config.storage_path), root)) {
    in.problem("LEGACY_FALLBACK_ROOT",
               "must not be UPLOAD_STORAGE_PATH, nor a folder above it: name the folder of the old files alone");
  } else if (is_within(bodies, root) || is_within(root, bodies)) {
    in.problem("LEGACY_FALLBACK_ROOT", "must not lie around BODY_TEMP_PATH, nor within it");
  }
}

}  // namespace

void read_legacy(Reader& in, Config& config) {
  LegacyConfig& c = config.legacy;
  c.path = in.text("LEGACY_FALLBACK_PATH");
  c.root = in.text("LEGACY_FALLBACK_ROOT");
  c.access = in.one_of("LEGACY_FALLBACK_ACCESS", "service granted users public");
  while (c.root.size() > 1 && c.root.ends_with('/')) c.root.pop_back();
  if (!c.root.empty() && (!is_plain_path(c.root) || c.root == "/")) {
    in.problem("LEGACY_FALLBACK_ROOT",
               "must be a whole path of letters, digits and - _ . ~, and no folder with a dot first");
  }
  if (!c.root.empty()) check_root(in, config);
  if (c.path.empty()) {
    if (!c.root.empty()) in.problem("LEGACY_FALLBACK_ROOT", "is of no use without LEGACY_FALLBACK_PATH");
    return;
  }
  if (!c.path.ends_with('/')) c.path += '/';
  if (!is_plain_path(c.path) || c.path == "/") {
    in.problem("LEGACY_FALLBACK_PATH",
               "must be like /uploads/: letters, digits and - _ . ~, no segment empty or with a dot first");
  }
  const bool is_ours = c.path.starts_with("/_cloakroom/") ||
                       (!config.route_prefix.empty() && c.path.starts_with(config.route_prefix + "/")) ||
                       (config.route_prefix + "/").starts_with(c.path);
  if (is_ours) in.problem("LEGACY_FALLBACK_PATH", "lies within our own routes (ROUTE_PREFIX), or they within it");
}

}  // namespace cloakroom

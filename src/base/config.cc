// config.cc — reads, checks and describes the settings; the one place that reads the environment.
#include "base/config.h"

#include <unistd.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <climits>
#include <cstdlib>
#include <limits>

#include "base/config_access.h"
#include "base/config_cleanup.h"
#include "base/config_images.h"
#include "base/config_legacy.h"
#include "base/config_limits.h"
#include "base/config_public.h"
#include "base/config_reader.h"
#include "base/config_s3.h"
#include "base/config_scan.h"
#include "base/config_variants.h"
#include "base/encode.h"
#include "base/file.h"

namespace cloakroom {
namespace {

constexpr std::uint64_t kMostS3Bytes = 5000ULL << 30;  // 1000 parts, as any store takes, of 5 GiB
constexpr std::uint64_t kMostPartBytes = 5ULL << 30;
constexpr std::uint64_t kLeastPartBytes = 5ULL << 20;  // of a multipart upload
constexpr std::uint64_t kLongestLink = 31536000;       // a year
constexpr int kMostPrefixSegments = 8;  // the router splits a path into 12, and the longest pattern has 4

struct KnownEnding {
  std::string_view ending, type;
};
constexpr std::array kEndings{
    KnownEnding{"png", "image/png"},        KnownEnding{"jpg", "image/jpeg"},  KnownEnding{"jpeg", "image/jpeg"},
    KnownEnding{"gif", "image/gif"},        KnownEnding{"webp", "image/webp"}, KnownEnding{"avif", "image/avif"},
    KnownEnding{"heic", "image/heic"},      KnownEnding{"tiff", "image/tiff"}, KnownEnding{"bmp", "image/bmp"},
    KnownEnding{"pdf", "application/pdf"},  KnownEnding{"txt", "text/plain"},  KnownEnding{"csv", "text/csv"},
    KnownEnding{"zip", "application/zip"},  KnownEnding{"mp4", "video/mp4"},   KnownEnding{"webm", "video/webm"},
    KnownEnding{"mov", "video/quicktime"},  KnownEnding{"mp3", "audio/mpeg"},  KnownEnding{"ogg", "audio/ogg"},
    KnownEnding{"json", "application/json"}};

// Part of a key: what a host name may hold, and no dot in front.
bool is_node_name(std::string_view text) {
  std::string letters(text);
  std::replace(letters.begin(), letters.end(), '.', '-');
  return is_word(letters) && text[0] != '.';
}

std::string host_name() {
  std::string name(HOST_NAME_MAX + 1, '\0');
  if (::gethostname(name.data(), name.size()) != 0) return {};
  return name.substr(0, std::min<std::size_t>(name.find('\0'), 63));
}

// As a browser writes an Origin header: lower case, no path, no port that is the scheme's own.
std::vector<std::string> read_origins(Reader& in, std::string_view name) {
  std::vector<std::string> origins;
  const std::string list = in.text(name);
  for (const std::string_view item : split(list, ',')) {
    std::string origin = ascii_lower(item);
    check_url(in, name, origin);
    const std::string_view port = origin.starts_with("https:") ? ":443" : ":80";
    if (origin.ends_with(port)) origin.resize(origin.size() - port.size());
    origins.push_back(std::move(origin));
  }
  return origins;
}

std::vector<std::string> read_types(Reader& in) {
  std::vector<std::string> types;
  const std::string list = in.text("ALLOWED_TYPES");
  for (const std::string_view item : split(list, ',')) {
    std::string type = ascii_lower(item);
    if (type.starts_with('.')) type.erase(0, 1);
    if (type.find('/') == std::string::npos) {
      const auto* known =
          std::find_if(kEndings.begin(), kEndings.end(), [&](const KnownEnding& e) { return e.ending == type; });
      if (known == kEndings.end()) {
        in.problem(
            "ALLOWED_TYPES",
            fmt::format("'{}' is not a file ending known here; write its content type, such as application/pdf", item));
        continue;
      }
      type = known->type;
    }
    types.push_back(std::move(type));
  }
  return types;
}

void read_identity(Reader& in, Config& config) {
  config.auth = in.one_of("AUTH", "jwt header none");
  config.jwt_secret = in.text("JWT_SECRET");
  config.jwt_public_key = in.text("JWT_PUBLIC_KEY");
  config.jwt_cookie = in.text("JWT_COOKIE");
  config.jwt_user_claim = in.text("JWT_USER_CLAIM");
  config.jwt_issuer = in.text("JWT_ISSUER");
  config.jwt_audience = in.text("JWT_AUDIENCE");
  config.service_token = in.text("SERVICE_TOKEN");
  config.auth_request = in.text("AUTH_REQUEST");
  if (config.auth == "jwt") {
    if (config.jwt_secret.empty() && config.jwt_public_key.empty()) {
      in.problem("JWT_SECRET",
                 "AUTH=jwt needs JWT_SECRET or JWT_PUBLIC_KEY_FILE; make a secret with: openssl rand -hex 32");
    }
    if (!config.jwt_secret.empty() && !config.jwt_public_key.empty()) {
      in.problem("JWT_SECRET", "set either JWT_SECRET or JWT_PUBLIC_KEY_FILE, not both");
    }
    if (!config.jwt_secret.empty() && config.jwt_secret.size() < 16)
      in.problem("JWT_SECRET", "is shorter than 16 bytes");
  }
  if (!config.service_token.empty() && config.service_token.size() < 16)
    in.problem("SERVICE_TOKEN", "is shorter than 16 bytes");
  if (!config.auth_request.empty()) config.auth_request = path_setting(in, "AUTH_REQUEST", config.auth_request);
  config.auth_basic_file = in.text("AUTH_BASIC_FILE");
  if (!config.auth_basic_file.empty()) {
    config.auth_basic_file = path_setting(in, "AUTH_BASIC_FILE", config.auth_basic_file);
  }
  config.auth_request_url = in.text("AUTH_REQUEST_URL");
  config.auth_request_cache = std::chrono::seconds(in.number("AUTH_REQUEST_CACHE", 0, 3600));
  config.link_secret = in.text("LINK_SECRET");
  config.link_secret_previous = in.text("LINK_SECRET_PREVIOUS");
  config.link_expires = std::chrono::seconds(in.number("LINK_EXPIRES", 1, kLongestLink));
  config.link_max_expires = std::chrono::seconds(in.number("LINK_MAX_EXPIRES", 1, kLongestLink));
  for (const SettingProblem& found : access_problems(config)) in.problem(found.name, found.what);
}

}  // namespace

EnvLookup process_environment() {
  return [](std::string_view name) -> std::optional<std::string> {
    const char* value = std::getenv(std::string(name).c_str());
    if (value == nullptr) return std::nullopt;
    return std::string(value);
  };
}

Result<Config> read_config(const EnvLookup& env) {
  Reader in(env);
  Config c;
  c.instance = in.text("INSTANCE");
  if (!is_word(c.instance)) in.problem("INSTANCE", "must be 1 to 63 letters, digits, - and _");
  c.database_url = in.text("DATABASE_URL");
  if (c.database_url.empty())
    in.problem("DATABASE_URL", "is required, for example postgresql:///cloakroom?host=/run/postgresql");
  c.database_schema = in.text("DATABASE_SCHEMA");
  if (!is_word(c.database_schema)) in.problem("DATABASE_SCHEMA", "must be letters, digits and _");
  c.storage = in.one_of("STORAGE", "local s3 s3-secondary hybrid");
  c.storage_path = path_setting(in, "UPLOAD_STORAGE_PATH", in.text("UPLOAD_STORAGE_PATH"));
  const std::string body_path = in.text("BODY_TEMP_PATH");
  c.body_temp_path = path_setting(in, "BODY_TEMP_PATH", body_path.empty() ? c.storage_path + "/.body" : body_path);
  const bool inside = c.body_temp_path == c.storage_path || c.body_temp_path.starts_with(c.storage_path + "/");
  if (inside && !c.body_temp_path.substr(c.storage_path.size()).starts_with("/.")) {
    in.problem("BODY_TEMP_PATH",
               "inside UPLOAD_STORAGE_PATH its first folder must begin with a dot: others hold files");
  }
  c.key_prefix = in.text("KEY_PREFIX");
  if (!c.key_prefix.empty()) {
    if (!c.key_prefix.ends_with('/')) c.key_prefix += '/';
    const bool safe = std::all_of(c.key_prefix.begin(), c.key_prefix.end(),
                                  [](char ch) { return is_word(std::string_view(&ch, 1)) || ch == '.' || ch == '/'; });
    if (!safe || c.key_prefix[0] == '.' || c.key_prefix[0] == '/' || c.key_prefix.find("..") != std::string::npos ||
        c.key_prefix.find("//") != std::string::npos || c.key_prefix.find("/.") != std::string::npos ||
        c.key_prefix.size() > 200) {
      in.problem("KEY_PREFIX",
                 "may hold letters, digits, - _ . and /; no segment may begin with a dot, no leading slash");
    }
  }
  c.key_naming = in.one_of("KEY_NAMING", "fanout uuid-name folder");
  c.max_upload_bytes = in.bytes("MAX_UPLOAD_SIZE");
  c.max_request_bytes =
      in.raw("MAX_REQUEST_SIZE").value.empty() ? 4 * c.max_upload_bytes + (1 << 20) : in.bytes("MAX_REQUEST_SIZE");
  if (c.max_request_bytes < c.max_upload_bytes) in.problem("MAX_REQUEST_SIZE", "is smaller than MAX_UPLOAD_SIZE");
  c.allowed_types = read_types(in);
  read_s3_stores(in, c);
  c.cors_origins = read_origins(in, "CORS_ORIGINS");
  c.site_origins = read_origins(in, "SITE_ORIGINS");
  if (c.storage != "local" && c.max_upload_bytes > kMostS3Bytes) {
    in.problem("MAX_UPLOAD_SIZE", "is more than 5000G, the most that an S3 store takes in parts");
  }
  c.s3_fallback = in.one_of("S3_FALLBACK", "none local");
  if (c.s3_fallback == "local" && !c.is_in_s3()) {
    in.problem("S3_FALLBACK", "local needs STORAGE=s3 or s3-secondary");
  }
  c.node_name = in.text("NODE_NAME");
  const bool is_named = !c.node_name.empty();
  if (!is_named) c.node_name = host_name();
  // a host with an odd name matters only to those who keep files on it
  if (!is_named && c.s3_fallback != "local" && !is_node_name(c.node_name)) c.node_name = "localhost";
  if (!is_node_name(c.node_name)) {
    in.problem("NODE_NAME", "must be 1 to 63 letters, digits, - _ and ., the first no dot");
  }
  c.delivery = in.one_of("DELIVERY", "proxy redirect stream");
  if (c.delivery == "redirect" && c.storage == "local") {
    in.problem("DELIVERY", "redirect needs STORAGE=s3, s3-secondary or hybrid");
  }
  c.presign_expires = std::chrono::seconds(in.number("PRESIGN_EXPIRES", 1, 604800));
  c.visibility = in.one_of("VISIBILITY", "private public");
  c.cdn_url = in.text("CDN_URL");
  c.resource_policy = in.raw("RESOURCE_POLICY").value.empty()
                          ? (c.visibility == "public" ? "cross-origin" : "same-site")
                          : in.one_of("RESOURCE_POLICY", "same-origin same-site cross-origin");
  c.direct_upload_expires = std::chrono::seconds(in.number("DIRECT_UPLOAD_EXPIRES", 60, 604800));
  c.direct_part_bytes = in.bytes("DIRECT_UPLOAD_PART_SIZE");
  if (c.direct_part_bytes < kLeastPartBytes || c.direct_part_bytes > kMostPartBytes) {
    in.problem("DIRECT_UPLOAD_PART_SIZE", "is not between 5M and 5G");
  }
  c.cache_control = in.text("CACHE_CONTROL");
  c.object_cache_control = in.text("OBJECT_CACHE_CONTROL");
  fill_caching(c);
  while (c.cdn_url.ends_with('/')) c.cdn_url.pop_back();
  for (const SettingProblem& found : public_problems(c)) in.problem(found.name, found.what);
  read_identity(in, c);
  read_scan(in, c);
  c.images = read_images(in);
  c.strip_metadata = in.one_of("STRIP_METADATA", "gps all none");
  read_variants(in, c);
  c.limits = read_limits(in);
  read_cleanup(in, c);
  c.route_prefix = in.text("ROUTE_PREFIX");
  while (c.route_prefix.ends_with('/')) c.route_prefix.pop_back();
  if (!c.route_prefix.empty()) c.route_prefix = path_setting(in, "ROUTE_PREFIX", c.route_prefix);
  if (c.route_prefix.find("//") != std::string::npos ||
      std::count(c.route_prefix.begin(), c.route_prefix.end(), '/') > kMostPrefixSegments) {
    in.problem("ROUTE_PREFIX", fmt::format("may have up to {} segments, none of them empty", kMostPrefixSegments));
  }
  read_legacy(in, c);
  c.workers = static_cast<std::uint32_t>(in.number("WORKERS", 1, 256));
  c.max_requests = static_cast<std::uint32_t>(in.number("MAX_REQUESTS", 0, 1000000000));
  c.shutdown_timeout = std::chrono::seconds(in.number("SHUTDOWN_TIMEOUT", 1, 3600));
  c.body_timeout = std::chrono::seconds(in.number("BODY_TIMEOUT", 1, 3600));
  c.orphan_grace = std::chrono::seconds(in.number("ORPHAN_GRACE", 60, 604800));
  c.scrub_bytes_per_second = in.bytes("SCRUB_RATE");
  c.sandbox = in.one_of("SANDBOX", "on off") == "on";
  c.log_level = in.one_of("LOG_LEVEL", "error warning info debug");
  c.socket = path_setting(in, "FASTCGI_SOCKET", in.text("FASTCGI_SOCKET"));
  c.nginx_cache_path = path_setting(in, "NGINX_CACHE_PATH", in.text("NGINX_CACHE_PATH"));
  c.nginx_error_log = path_setting(in, "NGINX_ERROR_LOG", in.text("NGINX_ERROR_LOG"));
  c.nginx_health_routes = in.one_of("NGINX_HEALTH_ROUTES", "on off") == "on";
  c.nginx_cache_bytes = in.bytes("NGINX_CACHE_SIZE");
  if (!in.problems().empty()) return Error{Errc::kInvalid, in.problems()};
  return c;
}

std::string describe_settings(const EnvLookup& env) {
  Reader in(env);
  std::string out;
  for (const Setting& s : all_settings()) {
    const Raw raw = in.raw(s.name);
    const std::string shown = s.secret ? (raw.value.empty() ? "(unset)" : "(set)") : raw.value;
    out += fmt::format("{}={}  # {}\n", s.name, s.name == "JWT_PUBLIC_KEY" && !raw.value.empty() ? "(PEM)" : shown,
                       raw.source);
  }
  return out;
}

}  // namespace cloakroom

// config.h — every setting: name, default, meaning; read once from the environment and checked as a whole.
//
// Source   systemd EnvironmentFile= or the shell. NAME_FILE reads NAME's value from that file (systemd credentials),
// one
//          trailing newline removed. Older names (aliases) keep working; the first name that is set wins.
// Errors   read_config: kInvalid; `detail` names every problem, one a line. The caller exits with 78 (EX_CONFIG).
// Rule     getenv stands in config.cc alone; the table in settings.cc. No Config below cmd/: everything else gets plain
// values by constructor.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/rate.h"
#include "base/result.h"

namespace cloakroom {

struct Setting {
  std::string_view name;
  std::string_view default_value;  // as it would be written in the environment; "" = unset
  bool secret;
  std::string_view aliases;  // other names, separated by spaces, tried in order
  std::string_view help;
};
std::span<const Setting> all_settings();

// What is wrong with a setting: "NAME: what".
struct SettingProblem {
  std::string name;
  std::string what;
};

// Where credentials come from while access_key_id is empty; an empty place is not asked.
struct S3CredentialConfig {
  std::string shared_file, profile;
  bool shared_file_required = false;
  std::string web_identity_token_file, role_arn, role_session_name, sts_endpoint;
  std::string metadata_endpoint;
};

struct S3Config {
  std::string prefix = "S3_";  // of the names of its settings: "S3_" or "S3_SECONDARY_"
  std::string endpoint, public_endpoint, bucket, region, access_key_id, secret_access_key, session_token, addressing;
  std::string ca_file;   // trusted instead of the system's authorities; empty = those
  std::string provider;  // a word of S3_PROVIDER; empty = to be guessed. `region` is empty when nobody named one.
  S3CredentialConfig credentials;
};

struct LimitsConfig {
  struct Rates {
    Rate uploads, downloads, misses;
  };
  struct Amount {
    std::uint64_t bytes = 0, files = 0;  // 0: any number
  };
  Rates user, address;
  Amount user_quota, dialog_quota;
  std::vector<std::string> trusted_proxies;  // "10.0.0.0/8", "2001:db8::1"
  Rate nginx_requests;                       // a second or a minute
  std::uint32_t nginx_connections = 0;       // 0: any number
};

// A box that a smaller picture fits in; 0: this side is free.
struct VariantSetting {
  std::string name;
  std::uint32_t max_width = 0, max_height = 0;  // pixels
};

// Of the worker, which asks, and of cloakroom-image, which answers.
struct ImagesConfig {
  std::string socket;         // path; empty = no pictures are made
  std::string ffmpeg;         // path; empty = none of films and sounds
  std::uint32_t workers = 0;  // pictures made at once; 0 = as many as there are processors
  std::uint32_t reuse = 1;    // JPEGs that one process may make
  std::uint64_t max_pixels = 0, memory_bytes = 0;
  std::chrono::seconds timeout{};
};

// What `cloakroom cleanup` takes for waste, and for how long it can be had back.
struct CleanupConfig {
  struct Retention {
    std::string type;  // image | video | audio | file, "application/pdf", "image/*", "*"
    std::chrono::hours age{};
  };
  std::chrono::hours stale{};        // of uploads that nobody linked; 0 = never
  std::chrono::hours undo{};         // 0 = what is removed is gone
  std::vector<Retention> retention;  // the first that fits counts
  std::string owner_query;           // empty = nobody is asked
};

// Old addresses of files that an application had before it had us.
struct LegacyConfig {
  std::string path;    // "/uploads/"; empty = they are not served
  std::string root;    // folder of the files that were not taken over yet; empty = there are none
  std::string access;  // to these: service | granted | users | public
};

struct JobsConfig {
  std::uint32_t parallel = 1;  // processes
  int most_failures = 0;
};

struct Config {
  std::string instance;
  std::string database_url, database_schema;
  std::string storage;  // local | s3 | s3-secondary | hybrid
  std::string storage_path, body_temp_path;
  std::string key_prefix, key_naming;
  std::uint64_t max_upload_bytes = 0, max_request_bytes = 0;
  std::vector<std::string> allowed_types;  // "image/png", "image/*"; empty = all
  // Set when STORAGE names it, and whenever its bucket is set: older files may still lie there.
  std::optional<S3Config> s3, s3_secondary;
  std::vector<std::string> cors_origins;  // "https://chat.example.com", lower case, no default port
  std::vector<std::string> site_origins;  // the same; empty = as nginx sees it
  std::string resource_policy;            // same-origin | same-site | cross-origin
  std::string s3_fallback, node_name;     // none | local
  std::string delivery;                   // proxy | redirect | stream
  std::chrono::seconds presign_expires{};
  std::chrono::seconds direct_upload_expires{};
  std::uint64_t direct_part_bytes = 0;
  std::string cache_control, object_cache_control;
  std::string visibility;  // private | public
  std::string cdn_url;     // no slash at its end; empty = none
  std::string auth;        // jwt | header | none
  std::string jwt_secret, jwt_public_key, jwt_cookie, jwt_user_claim, jwt_issuer, jwt_audience;
  std::string service_token;
  std::string auth_request, auth_basic_file;
  std::string auth_request_url;
  std::chrono::seconds auth_request_cache{};  // 0 = off
  std::string link_secret, link_secret_previous;
  std::chrono::seconds link_expires{}, link_max_expires{};
  std::string clamd_socket;  // path or host:port; empty = nothing is scanned
  std::chrono::milliseconds clamd_connect_timeout{}, clamd_timeout{};
  std::uint64_t clamd_max_bytes = 0;
  bool clamd_fail_open = false;
  std::uint64_t rescan_bytes_per_second = 0;  // 0 = no rescans
  ImagesConfig images;
  std::string strip_metadata;  // gps | all | none
  std::vector<VariantSetting> variants;
  std::vector<std::string> variant_formats;  // avif | webp, the best first
  LimitsConfig limits;
  CleanupConfig cleanup;
  JobsConfig jobs;
  LegacyConfig legacy;
  std::string route_prefix;
  std::uint32_t workers = 0, max_requests = 0;
  std::chrono::seconds shutdown_timeout{}, orphan_grace{}, body_timeout{};
  std::uint64_t scrub_bytes_per_second = 0;  // 0 = as fast as it goes
  bool sandbox = true;
  std::string log_level;
  std::string socket, nginx_cache_path, nginx_error_log;
  bool nginx_health_routes = true;
  std::uint64_t nginx_cache_bytes = 0;

  bool has_s3() const { return s3 || s3_secondary; }
  // New files go to an S3 store: this one.
  bool is_in_s3() const { return storage == "s3" || storage == "s3-secondary"; }
  const std::optional<S3Config>& s3_of_new_files() const { return storage == "s3-secondary" ? s3_secondary : s3; }
};

using EnvLookup = std::function<std::optional<std::string>(std::string_view name)>;
EnvLookup process_environment();

Result<Config> read_config(const EnvLookup& env);

// One line a setting: NAME=value and where it came from; secrets as "(set)" or "(unset)".
std::string describe_settings(const EnvLookup& env);
// docs/configuration.md, whole.
std::string settings_markdown();

}  // namespace cloakroom

// nginx_include.cc — a template language of three words, and the values nginx needs.
#include "cmd/nginx_include.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "cmd/wiring.h"
#include "domain/proxy_cache.h"
#include "http/origin.h"
#include "storage/s3_endpoint.h"

namespace cloakroom {
namespace {

// Where Debian's ca-certificates puts them all; libcurl looks there by itself.
constexpr const char* kSystemAuthorities = "/etc/ssl/certs/ca-certificates.crt";

Result<std::string> read_text(const std::string& path) {
  std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  if (!in) return Error{Errc::kInternal, "cannot read template '" + path + "'"};
  return text.str();
}

struct Endpoint {
  std::string scheme, name, port;
};

// "https://name:port" of the settings, which read_config has checked.
Endpoint split_endpoint(const std::string& url) {
  Endpoint e;
  const std::size_t host = url.find("://") + 3;
  e.scheme = url.substr(0, host - 3);
  const std::size_t bracket = url.find(']', host);
  const std::size_t colon = url.find(':', bracket == std::string::npos ? host : bracket);
  e.name = url.substr(host, colon == std::string::npos ? colon : colon - host);
  e.port = colon == std::string::npos ? (e.scheme == "https" ? "443" : "80") : url.substr(colon + 1);
  return e;
}

// The name of an instance as part of a variable's. One to one: "a-b" and "a_b" may be two instances of one nginx.
std::string variable_part(const std::string& instance) {
  std::string out;
  for (const char c : instance) {
    if (c == '_') {
      out += "__";
    } else if (c == '-') {
      out += "_d";
    } else {
      out += c;
    }
  }
  return out;
}

// Settings let through letters, digits and these alone.
std::string pattern(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (std::string_view(".[]+").find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

// Patterns, for nginx limits the length of a map's other keys by a directive that a site may have.
std::string origin_map(const std::vector<std::string>& origins) {
  std::string out;
  for (const std::string& origin : origins) out += fmt::format("    \"~^{}$\" \"{}\";\n", pattern(origin), origin);
  return out;
}

Result<std::string> substitute(std::string line, const std::map<std::string, std::string>& values) {
  for (std::size_t at = line.find('@'); at != std::string::npos; at = line.find('@', at)) {
    const std::size_t end = line.find('@', at + 1);
    if (end == std::string::npos) return Error{Errc::kInternal, "template: unpaired @ in: " + line};
    const auto value = values.find(line.substr(at + 1, end - at - 1));
    if (value == values.end()) return Error{Errc::kInternal, "template: unknown name in: " + line};
    line.replace(at, end - at + 1, value->second);
    at += value->second.size();
  }
  return line;
}

// Whom nginx believes, and what it lets through before it asks the worker.
void add_limits(const LimitsConfig& limits, TemplateInput& input) {
  std::string& real_ip = input.parts["real-ip"];
  for (const std::string& proxy : limits.trusted_proxies) real_ip += "    set_real_ip_from    " + proxy + ";\n";
  if (!real_ip.empty()) real_ip += "    real_ip_header      X-Forwarded-For;\n    real_ip_recursive   on;\n";
  if (const Rate& rate = limits.nginx_requests; rate.is_on()) {
    input.conditions.insert({"limits", "limit_requests"});
    // a second and a minute are all that the settings take
    input.values["LIMIT_RATE"] = fmt::format("{}r/{}", rate.count, rate.period.count() == 1 ? 's' : 'm');
    input.values["LIMIT_BURST"] = std::to_string(rate.burst);
  }
  if (limits.nginx_connections > 0) {
    input.conditions.insert({"limits", "limit_connections"});
    input.values["LIMIT_CONNECTIONS"] = std::to_string(limits.nginx_connections);
  }
}

}  // namespace

Result<std::string> render_template(const std::string& text, const TemplateInput& input) {
  std::istringstream in(text);
  std::string out;
  bool skipping = false;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("#:if ")) {
      skipping = !input.conditions.contains(line.substr(5));
    } else if (line == "#:end") {
      skipping = false;
    } else if (!skipping && line.starts_with("#:include ")) {
      const auto part = input.parts.find(line.substr(10));
      if (part == input.parts.end()) return Error{Errc::kInternal, "template: no part for: " + line};
      TRY_ASSIGN(const std::string rendered, render_template(part->second, input));
      out += rendered;
    } else if (!skipping) {
      TRY_ASSIGN(const std::string done, substitute(line, input.values));
      out.append(done).append("\n");
    }
  }
  return out;
}

namespace {

// An S3 store has an upstream and locations of its own, and each of them leads to that one host alone.
Status add_store(const S3Config& s3, const S3Store& store, const std::string& template_folder, TemplateInput& input) {
  TemplateInput own = input;
  const Endpoint endpoint = split_endpoint(s3.endpoint);
  const std::string& host = store.host();  // what requests are signed for; with virtual addressing bucket.endpoint
  const std::string name = host.substr(0, host.find(':', host.find(']') == std::string::npos ? 0 : host.find(']')));
  own.values["S3_STORE"] = to_string(store.kind());
  own.values["S3_SCHEME"] = endpoint.scheme;
  own.values["S3_HOST"] = host;
  own.values["S3_NAME"] = name;
  own.values["S3_CA_FILE"] = s3.ca_file.empty() ? kSystemAuthorities : s3.ca_file;
  own.values["S3_ADDRESS"] = name + ":" + endpoint.port;
  TRY_ASSIGN(own.parts["s3"], read_text(template_folder + "/s3.inc.in"));
  for (const char* part : {"s3-upstream", "s3-locations"}) {
    TRY_ASSIGN(const std::string text, read_text(template_folder + "/" + part + ".inc.in"));
    TRY_ASSIGN(const std::string rendered, render_template(text, own));
    input.parts[part] += rendered;
  }
  return Ok{};
}

Status add_stores(const Config& config, const std::string& template_folder, TemplateInput& input) {
  input.conditions.insert("s3");
  const SystemClock clock;
  TRY_ASSIGN(const StoreSet stores, make_stores(config, clock));
  for (const S3Set* set : stores.s3_sets()) {
    TRY(add_store(*s3_config(config, set->store->kind()), *set->store, template_folder, input));
  }
  return Ok{};
}

}  // namespace

Result<NginxIncludes> render_nginx(const Config& config, const std::string& template_folder) {
  TemplateInput input;
  for (const char* part : {"params", "identity", "who-cache", "headers", "limits", "pages", "problem"}) {
    TRY_ASSIGN(input.parts[part], read_text(template_folder + "/" + part + ".inc.in"));
  }
  input.values = {{"INSTANCE", config.instance},
                  {"PREFIX", config.route_prefix},
                  {"SOCKET", config.socket},
                  {"STORAGE_PATH", config.storage_path},
                  {"BODY_TEMP_PATH", config.body_temp_path},
                  {"MAX_REQUEST_SIZE", std::to_string(config.max_request_bytes)},
                  {"BODY_TIMEOUT", std::to_string(config.body_timeout.count())},
                  {"SPOOL_SIZE", std::to_string(config.max_upload_bytes + (1 << 20))},
                  {"CACHE_PATH", config.nginx_cache_path},
                  {"SLICE_BYTES", std::to_string(kSliceBytes)},
                  {"CACHE_SIZE", std::to_string(config.nginx_cache_bytes)},
                  {"ERROR_LOG", config.nginx_error_log},
                  {"AUTH_REQUEST", config.auth_request},
                  {"AUTH_REQUEST_URL", config.auth_request_url},
                  {"AUTH_REQUEST_CACHE", std::to_string(config.auth_request_cache.count())},
                  {"LEGACY_PATH", config.legacy.path},
                  {"LEGACY_ROOT", config.legacy.root},
                  {"AT", "@"},
                  {"VARIABLE", variable_part(config.instance)},
                  {"RESOURCE_POLICY", config.resource_policy},
                  {"ORIGIN_MAP", origin_map(config.cors_origins)},
                  {"EXPOSED", std::string(kExposedHeaders)},
                  {"PREFIX_PATTERN", pattern(config.route_prefix)},
                  {"REMOTE_USER", "\"\""}};
  if (config.auth == "header") {
    const bool asks_url = !config.auth_request_url.empty();
    const bool asks = asks_url || !config.auth_request.empty();
    // nginx fills $remote_user from whatever a client writes, unless something checks the password
    if (asks == !config.auth_basic_file.empty()) {
      return Error{
          Errc::kInvalid,
          "AUTH=header needs either AUTH_REQUEST_URL, AUTH_REQUEST or AUTH_BASIC_FILE, or anybody could be anybody"};
    }
    input.values["AUTH_BASIC_FILE"] = config.auth_basic_file;
    if (!asks) input.conditions.insert("auth_basic");
    input.values["REMOTE_USER"] = asks ? "$cloakroom_user" : "$remote_user";
    if (asks) input.conditions.insert("auth_request");
    if (config.visibility == "public") {
      input.conditions.insert("open_files");
    } else if (!config.link_secret.empty()) {
      input.conditions.insert("ask_links");
    }
    if (asks_url) {
      input.values["AUTH_REQUEST"] = "/_cloakroom/" + config.instance + "/who";
      input.conditions.insert("ask_application");
      if (config.auth_request_cache.count() > 0) input.conditions.insert("ask_cache");
    }
  }
  add_limits(config.limits, input);
  if (config.auth == "jwt") input.conditions.insert("ask_worker");
  if (!config.cors_origins.empty()) input.conditions.insert("cors");
  if (config.auth != "jwt" && !input.conditions.contains("auth_request")) input.conditions.insert("asks_nobody");
  if (!config.legacy.path.empty()) {
    input.conditions.insert("legacy");
    const bool asks = input.conditions.contains("auth_request") || input.conditions.contains("auth_basic");
    if (asks && config.legacy.access == "public") input.conditions.insert("legacy_open");
  }
  if (!config.legacy.root.empty()) input.conditions.insert("legacy_root");
  if (config.nginx_health_routes) input.conditions.insert("health");
  if (config.has_s3()) TRY(add_stores(config, template_folder, input));
  TRY_ASSIGN(const std::string http, read_text(template_folder + "/http.conf.in"));
  TRY_ASSIGN(const std::string server, read_text(template_folder + "/server.conf.in"));
  NginxIncludes out;
  TRY_ASSIGN(out.http, render_template(http, input));
  TRY_ASSIGN(out.server, render_template(server, input));
  return out;
}

}  // namespace cloakroom

// credential_providers.cc — the three places, each asked from scratch.
#include "storage/credential_providers.h"

#include <fcntl.h>

#include <algorithm>

#include "base/encode.h"
#include "base/json.h"
#include "base/limits.h"
#include "storage/sts_xml.h"

namespace cloakroom {
namespace {

constexpr std::string_view kMetadataPath = "/latest/meta-data/iam/security-credentials/";
constexpr std::string_view kBlanks = " \t\r\n";

std::string_view trim(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

Result<std::string> read_small_file(const std::string& path) {
  TRY_ASSIGN(const UniqueFd fd, open_file(path, O_RDONLY | O_CLOEXEC));
  std::string text(limits::kCredentialFileBytes + 1, '\0');
  TRY_ASSIGN(const std::size_t size, read_at(fd.get(), std::as_writable_bytes(std::span(text)), 0));
  if (size > limits::kCredentialFileBytes) {
    return Error{Errc::kInvalid,
                 "'" + path + "' is larger than " + std::to_string(limits::kCredentialFileBytes) + " bytes"};
  }
  text.resize(size);
  return text;
}

struct Profile {
  bool found = false;
  Credentials credentials;
};

Profile read_profile(std::string_view text, std::string_view wanted) {
  Profile profile;
  bool inside = false;
  while (!text.empty()) {
    const std::string_view line = trim(text.substr(0, text.find('\n')));
    text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
    if (line.empty() || line[0] == '#' || line[0] == ';') continue;
    if (line.front() == '[') {
      inside = line.back() == ']' && trim(line.substr(1, line.size() - 2)) == wanted;
      profile.found = profile.found || inside;
      continue;
    }
    const std::size_t equals = line.find('=');
    if (!inside || equals == std::string_view::npos) continue;
    const std::string name = ascii_lower(trim(line.substr(0, equals)));
    const std::string_view value = trim(line.substr(equals + 1));
    if (name == "aws_access_key_id") profile.credentials.access_key_id = value;
    if (name == "aws_secret_access_key") profile.credentials.secret_access_key = value;
    if (name == "aws_session_token") profile.credentials.session_token = value;
  }
  return profile;
}

Error refused(std::string_view who, const HttpAnswer& answer, const std::string& code = {}) {
  std::string detail(who);
  detail.append(" answered ").append(std::to_string(answer.status)).append(code.empty() ? "" : " ").append(code);
  return {Errc::kStore, std::move(detail)};
}

std::string member(const Json& json, const char* name) {
  const json_t* value = json_object_get(json.get(), name);
  return json_is_string(value) ? std::string(json_string_value(value), json_string_length(value)) : std::string();
}

}  // namespace

Result<std::optional<Credentials>> SharedFileProvider::fetch() {
  const auto nothing = [] { return Result<std::optional<Credentials>>(std::nullopt); };
  const Result<std::string> text = read_small_file(options_.path);
  if (!text) {
    if (options_.required) return Error{Errc::kStore, text.error().detail};
    return nothing();  // nobody asked for it: absent, or of another user
  }
  const Profile profile = read_profile(*text, options_.profile);
  const auto bad = [&](const char* why) {
    return Error{Errc::kInvalid, "profile '" + options_.profile + "' in '" + options_.path + "' " + why};
  };
  if (!profile.found) return options_.required ? Result<std::optional<Credentials>>(bad("does not exist")) : nothing();
  if (profile.credentials.access_key_id.empty() || profile.credentials.secret_access_key.empty()) {
    return bad("has no aws_access_key_id or no aws_secret_access_key");
  }
  return std::optional<Credentials>(profile.credentials);
}

Result<std::optional<Credentials>> WebIdentityProvider::fetch() {
  TRY_ASSIGN(const std::string file, read_small_file(options_.token_file));
  const std::string_view token = trim(file);
  if (token.empty()) return Error{Errc::kInvalid, "'" + options_.token_file + "' holds no token"};
  std::string form = "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=";
  form.append(percent_encode(options_.role_arn)).append("&RoleSessionName=");
  form.append(percent_encode(options_.session_name)).append("&WebIdentityToken=").append(percent_encode(token));
  const HttpCall call{.method = "POST",
                      .url = options_.endpoint + "/",
                      .headers = {{"Content-Type", "application/x-www-form-urlencoded"}},
                      .text = form,
                      .timeout = options_.timeout};
  TRY_ASSIGN(const HttpAnswer answer, curl_.perform(call));
  if (answer.status != 200) return refused("the token service", answer, sts_error_code(answer.body));
  TRY_ASSIGN(Credentials credentials, parse_assumed_role(answer.body));
  return std::optional<Credentials>(std::move(credentials));
}

Result<HttpAnswer> MetadataProvider::ask(std::string_view method, const std::string& path, StoreHeaders headers) {
  return curl_.perform(
      {.method = method, .url = options_.endpoint + path, .headers = std::move(headers), .timeout = options_.timeout});
}

Result<std::optional<Credentials>> MetadataProvider::fetch() {
  TRY_ASSIGN(const HttpAnswer opened,
             ask("PUT", "/latest/api/token", {{"X-aws-ec2-metadata-token-ttl-seconds", "21600"}}));
  if (opened.status != 200) return refused(name(), opened);
  const std::string token(trim(opened.body));
  if (token.empty() || has_control(token)) return Error{Errc::kStore, std::string(name()) + " gave no token"};
  const StoreHeaders with_token{{"X-aws-ec2-metadata-token", token}};

  TRY_ASSIGN(const HttpAnswer roles, ask("GET", std::string(kMetadataPath), with_token));
  if (roles.status == 404) return std::optional<Credentials>();  // a machine without a role
  if (roles.status != 200) return refused(name(), roles);
  const std::string_view role = trim(std::string_view(roles.body).substr(0, roles.body.find('\n')));
  if (role.empty()) return std::optional<Credentials>();

  TRY_ASSIGN(const HttpAnswer answer, ask("GET", std::string(kMetadataPath) + percent_encode(role), with_token));
  if (answer.status != 200) return refused(name(), answer);
  const Result<Json> json = parse_json(answer.body);
  const Error bad{Errc::kStore, std::string(name()) + " gave no credentials that can be read"};
  if (!json || (json_object_get(json->get(), "Code") != nullptr && member(*json, "Code") != "Success")) return bad;
  const Result<TimePoint> end = parse_iso8601(member(*json, "Expiration"));
  if (!end) return bad;
  return std::optional<Credentials>(
      Credentials{member(*json, "AccessKeyId"), member(*json, "SecretAccessKey"), member(*json, "Token"), *end});
}

std::vector<std::unique_ptr<CredentialProvider>> credential_chain(const CredentialPlaces& places) {
  std::vector<std::unique_ptr<CredentialProvider>> chain;
  if (!places.shared_file.path.empty()) chain.push_back(std::make_unique<SharedFileProvider>(places.shared_file));
  if (!places.web_identity.token_file.empty()) {
    chain.push_back(std::make_unique<WebIdentityProvider>(places.web_identity));
  }
  if (!places.metadata.endpoint.empty()) chain.push_back(std::make_unique<MetadataProvider>(places.metadata));
  return chain;
}

}  // namespace cloakroom

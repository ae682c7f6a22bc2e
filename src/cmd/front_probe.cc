// front_probe.cc — who the check is for nginx and the workers, and its requests.
#include "cmd/front_probe.h"

#include <algorithm>
#include <optional>
#include <thread>

#include "auth/jwt.h"
#include "base/encode.h"
#include "base/json.h"

namespace cloakroom {
namespace {

constexpr const char* kUser = "cloakroom-check";
constexpr std::chrono::minutes kTokenLife{10};
constexpr std::uint64_t kPatienceSeconds = 5;  // with a 429; nginx's own says 1 s
constexpr int kTries = 3;

std::string text_member(const Json& object, const char* name) {
  const json_t* value = json_object_get(object.get(), name);
  return json_is_string(value) ? std::string(json_string_value(value), json_string_length(value)) : std::string();
}

std::optional<FrontFile> file_of(const Config& config, std::string_view name, const HttpAnswer& answer) {
  const auto body = parse_json(answer.body);
  if (!body) return std::nullopt;
  FrontFile file{.id = text_member(*body, "id"), .path = {}, .sha256 = text_member(*body, "sha256")};
  if (file.id.empty()) return std::nullopt;
  file.path = config.route_prefix + "/files/" + file.id + "/" + percent_encode(name);
  file.size_bytes = static_cast<std::uint64_t>(json_integer_value(json_object_get(body->get(), "size")));
  return file;
}

}  // namespace

FrontProbe::FrontProbe(const Config& config, std::string url, const Clock& clock)
    : config_(config), url_(std::move(url)), clock_(clock), client_(CurlOptions{}), other_(CurlOptions{}) {
  identify();
}

void FrontProbe::identify() {
  // make_jwt() knows no issuer and no audience: the workers would refuse such a token.
  const bool any_token_does = config_.jwt_issuer.empty() && config_.jwt_audience.empty();
  if (config_.auth == "none") {
    // the proof of origin that a program gives where it has no token
    identity_ = {{"Origin", config_.site_origins.empty() ? url_ : config_.site_origins.front()}};
  } else if (config_.auth == "jwt" && !config_.jwt_secret.empty() && any_token_does) {
    const TimePoint now = clock_.now();
    const JwtClaims claims{kUser, now, now + kTokenLife};
    identity_ = {{"Authorization", "Bearer " + make_jwt(config_.jwt_secret, config_.jwt_user_claim, claims)}};
  } else if (!config_.service_token.empty() && config_.auth_basic_file.empty()) {
    identity_ = {{"Authorization", "Bearer " + config_.service_token}, {"X-Uploader-Id", kUser}};
  } else if (config_.auth == "header") {
    why_nobody_ = "with AUTH=header nginx alone says who somebody is, and the check cannot log in there";
  } else {
    why_nobody_ = "no token can be made without SERVICE_TOKEN, or JWT_SECRET with neither JWT_ISSUER nor JWT_AUDIENCE";
  }
}

Result<HttpAnswer> FrontProbe::ask(HttpCall call) {
  for (const StoreHeader& header : identity_) call.headers.push_back(header);
  for (int tries = 1;; ++tries) {
    Result<HttpAnswer> answer = client_.perform(call);
    if (!answer || answer->status != 429 || tries == kTries) return answer;
    const auto wait = parse_u64(answer->header("retry-after"));
    if (!wait || *wait > kPatienceSeconds) return answer;
    std::this_thread::sleep_for(std::chrono::seconds(*wait));
  }
}

Result<HttpAnswer> FrontProbe::get(const std::string& path, const StoreHeaders& more) {
  return ask({.method = "GET", .url = url_ + path, .headers = more});
}

Result<HttpAnswer> FrontProbe::announce(std::uint64_t size_bytes) {
  return ask({.method = "PUT",
              .url = url_ + config_.route_prefix + "/upload/check.txt",
              .headers = {},
              .announced_bytes = size_bytes});
}

Result<HttpAnswer> FrontProbe::upload(std::string_view name, std::string_view bytes) {
  Result<HttpAnswer> answer = ask({.method = "PUT",
                                   .url = url_ + config_.route_prefix + "/upload/" + percent_encode(name),
                                   .headers = {},
                                   .text = bytes,
                                   .timeout = std::chrono::minutes(2)});
  if (answer && answer->status == 201) {
    if (auto file = file_of(config_, name, *answer)) files_.push_back(*std::move(file));
  }
  return answer;
}

Result<HttpAnswer> FrontProbe::remove(const FrontFile& file) {
  Result<HttpAnswer> answer =
      ask({.method = "DELETE", .url = url_ + config_.route_prefix + "/attachments/" + file.id, .headers = {}});
  const bool gone = answer && (answer->status == 204 || answer->status == 404);
  if (gone) std::erase_if(files_, [id = file.id](const FrontFile& f) { return f.id == id; });
  return answer;
}

Result<HttpAnswer> FrontProbe::stranger(const std::string& any_url, const StoreHeaders& headers) {
  return other_.perform({.method = "GET", .url = any_url, .headers = headers});
}

std::size_t FrontProbe::clean() {
  for (const FrontFile& file : std::vector(files_)) (void)remove(file);
  const std::size_t left = files_.size();
  files_.clear();
  return left;
}

}  // namespace cloakroom

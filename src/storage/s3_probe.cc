// s3_probe.cc — makes, remembers and removes what the checks of a store need.
#include "storage/s3_probe.h"

#include <algorithm>

#include "base/encode.h"
#include "base/id.h"
#include "base/limits.h"

namespace cloakroom {
namespace {

constexpr std::string_view kName = "cloakroom-check-";
constexpr std::uint64_t kLeftOverSeconds = 3600;

bool succeeded(const Result<HttpAnswer>& answer) {
  return answer && answer->status >= 200 && answer->status < 300;
}

}  // namespace

S3Probe::S3Probe(S3Client& store, const S3Profile& profile, const S3CheckOptions& wanted, const Clock& clock)
    : store_(store),
      profile_(profile),
      wanted_(wanted),
      clock_(clock),
      configured_region_(store.region()),
      plain_(CurlTimes{.connect = store.options().connect_timeout}),
      stem_(wanted.key_prefix + std::string(kName) + std::to_string(unix_seconds(clock.now()).count()) + "-" +
            random_hex(8)) {}

std::string_view S3Probe::body() {
  return "These bytes were written by `cloakroom check`, which also removes them.\n";
}

Result<HttpAnswer> S3Probe::put(const Put& put) {
  const std::string name = key(put.ending);
  const std::string hash = hex_encode(sha256(body()));
  S3Request request{.method = "PUT",
                    .key = name,
                    .headers = put.headers,
                    .payload_hash = put.payload_hash.empty() ? std::string_view(hash) : put.payload_hash,
                    .text = body()};
  request.headers.push_back({"Content-Type", "text/plain; charset=utf-8"});
  Result<HttpAnswer> answer = store_.call(request);
  remember(put.ending, answer ? *answer : HttpAnswer{});
  return answer;
}

Result<HttpAnswer> S3Probe::send_xml(std::string_view method, std::string_view query, std::string_view xml) {
  TRY_ASSIGN(const auto digest, md5(xml));
  const std::string hash = hex_encode(sha256(xml));
  const std::string_view digest_bytes(reinterpret_cast<const char*>(digest.data()), digest.size());
  return store_.call({.method = method,
                      .query = std::string(query),
                      .headers = {{"Content-Type", "application/xml"}, {"Content-MD5", base64_encode(digest_bytes)}},
                      .payload_hash = hash,
                      .text = xml});
}

Result<std::string> S3Probe::presign(std::string_view method, std::string_view ending, std::string_view query,
                                     const StoreHeaders& headers) {
  const std::string name = key(ending);
  return store_.presign_url({.method = method,
                             .key = name,
                             .query = std::string(query),
                             .headers = headers,
                             .expires = std::chrono::seconds(300),
                             .for_browser = true});
}

void S3Probe::remember(std::string_view ending, const HttpAnswer& answer) {
  const std::string_view version = answer.header("x-amz-version-id");
  const bool has_version = !version.empty() && version != "null";
  Made one{key(ending), has_version ? "versionId=" + percent_encode(version) : ""};
  const bool known =
      std::any_of(made_.begin(), made_.end(), [&](const Made& m) { return m.key == one.key && m.query == one.query; });
  if (!known) made_.push_back(std::move(one));
}

void S3Probe::remember_upload(std::string_view ending, std::string_view upload_id) {
  uploads_.push_back({key(ending), "uploadId=" + percent_encode(upload_id)});
}

std::string S3Probe::all_keys() const {
  return wanted_.key_prefix + std::string(kName);
}

void S3Probe::remember_left_overs(std::string_view list_xml) {
  const std::string begin = "<Key>" + all_keys();  // plain characters only: nothing is escaped in it
  for (std::size_t at = list_xml.find(begin); at != std::string_view::npos; at = list_xml.find(begin, at + 1)) {
    const std::string_view name = list_xml.substr(at + 5, list_xml.find('<', at + 5) - (at + 5));
    const std::string_view made_at = name.substr(all_keys().size());
    const auto seconds = parse_u64(made_at.substr(0, made_at.find('-')));
    if (!seconds || name.size() > limits::kKeyBytes) continue;
    const auto now = static_cast<std::uint64_t>(unix_seconds(clock_.now()).count());
    if (*seconds + kLeftOverSeconds < now) made_.push_back({std::string(name), ""});
  }
}

std::size_t S3Probe::clean() {
  std::vector<Made> all = std::exchange(uploads_, {});
  for (Made& one : std::exchange(made_, {})) all.push_back(std::move(one));
  std::size_t failed = 0;
  for (const Made& one : all) {
    Result<HttpAnswer> answer = store_.call({.method = "DELETE", .key = one.key, .query = one.query});
    if (!answer) answer = store_.call({.method = "DELETE", .key = one.key, .query = one.query});  // once more
    if (!succeeded(answer) && (!answer || answer->status != 404)) ++failed;
    // Only hidden: what hides it is a version, too.
    if (succeeded(answer) && one.query.empty() && answer->header("x-amz-delete-marker") == "true") {
      const std::string marker = "versionId=" + percent_encode(answer->header("x-amz-version-id"));
      if (!succeeded(store_.call({.method = "DELETE", .key = one.key, .query = marker}))) ++failed;
    }
  }
  return failed;
}

}  // namespace cloakroom

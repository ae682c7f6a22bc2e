// s3_probe.cc — makes, remembers and removes what the checks of a store need.
#include "storage/s3_probe.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/encode.h"
#include "base/id.h"
#include "base/limits.h"
#include "storage/s3_errors.h"
#include "storage/s3_multipart.h"

namespace cloakroom {
namespace {

constexpr std::string_view kName = "cloakroom-check-";
constexpr std::uint64_t kLeftOverSeconds = 3600;

// Of a key that a check made: {prefix}{unix seconds}-{16 hex digits}, then nothing or "-" and letters.
std::optional<std::uint64_t> time_of(std::string_view name, std::string_view prefix) {
  if (!name.starts_with(prefix) || name.size() > limits::kKeyBytes) return std::nullopt;
  name.remove_prefix(prefix.size());
  const std::size_t dash = std::min(name.find('-'), name.size());
  const auto seconds = parse_u64(name.substr(0, dash));
  const std::string_view random = name.substr(std::min(dash + 1, name.size()), 16);
  const std::string_view ending = name.substr(std::min(dash + 17, name.size()));
  const bool ours = seconds && random.size() == 16 &&
                    random.find_first_not_of("0123456789abcdef") == std::string_view::npos &&
                    (ending.empty() || ending.front() == '-') && ending.find('/') == std::string_view::npos;
  return ours ? std::optional(*seconds) : std::nullopt;
}

}  // namespace

S3Probe::S3Probe(S3Client& store, const S3Profile& profile, const S3CheckOptions& wanted, const Clock& clock)
    : store_(store),
      profile_(profile),
      wanted_(wanted),
      clock_(clock),
      configured_region_(store.region()),
      plain_(store.curl_options()),
      stem_(wanted.key_prefix + std::string(kName) + std::to_string(unix_seconds(clock.now()).count()) + "-" +
            random_hex(8)),
      keeps_versions_(profile.delete_keeps_bytes == Fact::kYes) {}

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
  keeps_versions_ = keeps_versions_ || (!version.empty() && version != "null");
  std::string name = key(ending);
  if (std::find(made_.begin(), made_.end(), name) == made_.end()) made_.push_back(std::move(name));
}

std::string S3Probe::all_keys() const {
  return wanted_.key_prefix + std::string(kName);
}

void S3Probe::remember_left_over(std::string_view name) {
  const auto now = static_cast<std::uint64_t>(unix_seconds(clock_.now()).count());
  const auto made_at = time_of(name, all_keys());
  if (made_at && *made_at + kLeftOverSeconds < now) made_.emplace_back(name);
}

void S3Probe::find_lost_uploads() {
  S3UploadPage page;
  do {
    auto next = list_multipart(store_, stem_, page);
    if (!next) return;
    page = *std::move(next);
    for (S3Upload& upload : page.uploads) remember_upload(std::move(upload.id));
  } while (page.truncated);
}

Result<std::vector<S3ObjectVersion>> S3Probe::versions_of(const std::string& name) {
  TRY_ASSIGN(const HttpAnswer answer,
             store_.call({.method = "GET", .query = "prefix=" + percent_encode(name) + "&versions="}));
  TRY(check_result("GET", answer, "ListVersionsResult"));
  TRY_ASSIGN(std::vector<S3ObjectVersion> versions, parse_s3_versions(answer.body));
  std::erase_if(versions, [&name](const S3ObjectVersion& version) { return version.key != name; });
  return versions;
}

// All versions and markers of a key; false when one stays.
bool S3Probe::remove_versions(const std::string& name) {
  const auto versions = versions_of(name);
  if (!versions) return false;
  bool all = true;
  for (const S3ObjectVersion& version : *versions) {
    const std::string query = "versionId=" + percent_encode(version.id);
    all = succeeded(store_.call({.method = "DELETE", .key = name, .query = query})) && all;
  }
  return all;
}

bool S3Probe::remove(const std::string& name) {
  if (keeps_versions_) return remove_versions(name);
  Result<HttpAnswer> answer = store_.call({.method = "DELETE", .key = name});
  if (!answer) answer = store_.call({.method = "DELETE", .key = name});  // once more
  if (succeeded(answer) && answer->header("x-amz-delete-marker") == "true")
    return remove_versions(name);  // only hidden
  return succeeded(answer) || (answer && answer->status == 404);
}

std::size_t S3Probe::clean() {
  if (std::exchange(upload_is_lost_, false)) find_lost_uploads();
  std::size_t failed = 0;
  const std::string name_of_uploads = key(kUploadEnding);
  for (const std::string& id : std::exchange(uploads_, {})) {
    const MultipartRef upload{name_of_uploads, id};
    if (!abort_multipart(store_, upload) && !abort_multipart(store_, upload)) ++failed;  // once more
  }
  for (const std::string& name : std::exchange(made_, {})) {
    if (!remove(name)) ++failed;
  }
  return failed;
}

}  // namespace cloakroom

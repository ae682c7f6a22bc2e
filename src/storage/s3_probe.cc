// s3_probe.cc — makes, remembers and removes what the checks of a store need.
#include "storage/s3_probe.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/encode.h"
#include "base/id.h"
#include "base/limits.h"
#include "storage/s3_errors.h"

namespace cloakroom {
namespace {

constexpr std::string_view kName = "cloakroom-check-";
constexpr std::uint64_t kLeftOverSeconds = 3600;

bool succeeded(const Result<HttpAnswer>& answer) {
  return answer && is_success(*answer);
}

// Calls with the text of each <element> and with what follows it. Keys and ids of ours need no unescaping.
template <class Use>
void for_each_text(std::string_view xml, std::string_view element, const Use& use) {
  const std::string open = "<" + std::string(element) + ">";
  for (std::size_t at = xml.find(open); at != std::string_view::npos; at = xml.find(open, at + 1)) {
    const std::string_view rest = xml.substr(at + open.size());
    const std::string_view text = rest.substr(0, rest.find('<'));
    use(text, rest.substr(text.size()));
  }
}

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

void S3Probe::remember_upload(std::string_view upload_id) {
  uploads_.push_back("uploadId=" + percent_encode(upload_id));
}

std::string S3Probe::all_keys() const {
  return wanted_.key_prefix + std::string(kName);
}

void S3Probe::remember_left_overs(std::string_view list_xml) {
  for_each_text(list_xml, "Key", [this](std::string_view name, std::string_view) {
    const auto now = static_cast<std::uint64_t>(unix_seconds(clock_.now()).count());
    const auto made_at = time_of(name, all_keys());
    if (made_at && *made_at + kLeftOverSeconds < now) made_.emplace_back(name);
  });
}

void S3Probe::find_lost_uploads() {
  const auto answer = store_.call({.method = "GET", .query = "prefix=" + percent_encode(stem_) + "&uploads="});
  if (!succeeded(answer)) return;
  for_each_text(answer->body, "UploadId", [this](std::string_view id, std::string_view) {
    if (!id.empty()) remember_upload(id);
  });
}

// All versions and markers of a key; false when one stays.
bool S3Probe::remove_versions(const std::string& name) {
  const auto answer = store_.call({.method = "GET", .query = "prefix=" + percent_encode(name) + "&versions="});
  if (!succeeded(answer)) return false;
  bool all = true;
  for_each_text(answer->body, "Key", [&](std::string_view found, std::string_view rest) {
    const std::size_t begin = rest.find("<VersionId>");  // follows the key in each element
    if (found != name || begin == std::string_view::npos) return;
    const std::string_view version = rest.substr(begin + 11, rest.find('<', begin + 11) - (begin + 11));
    all = succeeded(store_.call({.method = "DELETE", .key = name, .query = "versionId=" + percent_encode(version)})) &&
          all;
  });
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
  for (const std::string& query : std::exchange(uploads_, {})) {
    const std::string name = key(kUploadEnding);
    Result<HttpAnswer> answer = store_.call({.method = "DELETE", .key = name, .query = query});
    if (!answer) answer = store_.call({.method = "DELETE", .key = name, .query = query});
    if (!succeeded(answer) && (!answer || answer->status != 404)) ++failed;
  }
  for (const std::string& name : std::exchange(made_, {})) {
    if (!remove(name)) ++failed;
  }
  return failed;
}

}  // namespace cloakroom

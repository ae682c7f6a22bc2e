// check_cdn.cc — an object as the workers store it, fetched as a visitor would.
#include "cmd/check_cdn.h"

#include <algorithm>

#include "base/encode.h"
#include "base/file.h"
#include "base/id.h"
#include "cmd/wiring.h"
#include "domain/object_key.h"
#include "storage/curl.h"

namespace cloakroom {
namespace {

constexpr const char* kName = "cdn.fetch";
constexpr std::string_view kBytes = "stored by `cloakroom check`, which also removes it\n";

Result<HttpAnswer> fetch(const Config& config, const std::string& url) {
  const HttpCall call{.method = "GET", .url = url, .headers = {}};
  Result<HttpAnswer> answer = CurlClient(CurlOptions{}).perform(call);
  // a CDN of one's own may have its certificate from the authority of the store's
  const std::string& ca_file = config.s3_of_new_files()->ca_file;
  if (!answer && is_mistrust(answer.error()) && !ca_file.empty()) {
    answer = CurlClient({.ca_file = ca_file}).perform(call);
  }
  return answer;
}

Finding judge(const Config& config, const Result<HttpAnswer>& answer) {
  const std::string what = "CDN_URL (" + config.cdn_url + ")";
  if (!answer) {
    const std::string& detail = answer.error().detail;  // begins with "cannot reach the store: "
    return warning("this host cannot reach " + what + detail.substr(std::min(detail.find(": "), detail.size())),
                   "if browsers can, all is well; else correct CDN_URL");
  }
  if (answer->status == 200 && answer->body == kBytes) return good(what + " gives out what is in the bucket");
  const std::string status = std::to_string(answer->status);
  if (answer->status == 401 || answer->status == 403) {
    return failure(what + " answers " + status + " for an object of the bucket",
                   "let the CDN read the bucket (a bucket policy for s3:GetObject, or its own identity), and correct "
                   "the path in CDN_URL: CDN_URL/key must lead to the key, KEY_PREFIX and all");
  }
  return failure(what + (answer->status == 200 ? " gives other bytes" : " answers " + status) +
                     " for an object of the bucket: its path is wrong",
                 "correct the path in CDN_URL or in the CDN's origin: CDN_URL/key must lead to the key in bucket '" +
                     config.s3_of_new_files()->bucket +
                     "', KEY_PREFIX and all; no page may take the place of a missing file");
}

}  // namespace

Finding check_cdn(const Config& config, const Clock& clock) {
  const auto stores = make_stores(config, clock);
  if (!stores) return {kName, Verdict::kFailure, stores.error().detail, "correct the S3_ settings"};
  const auto body = open_nameless("/tmp");
  const Status written = body ? write_all(body->get(), std::as_bytes(std::span(kBytes))) : Status(body.error());
  if (!written) return {kName, Verdict::kFailure, written.error().detail, "make room in /tmp"};

  const ObjectKey key = make_key({config.key_prefix, KeyNaming::kFanout}, make_uuid7(clock.now()), "check.txt");
  const ObjectMeta meta{.content_type = "text/plain",
                        .content_disposition = "attachment; filename=\"check.txt\"",
                        .cache_control = "no-store",
                        .attachment_id = "check"};
  S3Store& store = *stores->s3_of(kind_of_new_files(config))->store;
  const auto put = store.put(key, {.fd = body->get(), .offset = 0, .size = kBytes.size()}, meta);
  Finding found = put ? judge(config, fetch(config, config.cdn_url + "/" + percent_encode_path(key.str())))
                      : failure("no object could be stored for a try: " + put.error().detail, "see the checks s3.*");
  found.check = kName;
  // also after a put that seems to have failed
  if (const Status removed = store.remove(key); !removed && put) {
    return {kName, Verdict::kFailure, "the object '" + key.str() + "' could not be removed: " + removed.error().detail,
            "let the key delete objects, and remove that one"};
  }
  return found;
}

}  // namespace cloakroom

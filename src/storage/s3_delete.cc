// s3_delete.cc — DELETE and POST ?delete.
#include "storage/s3_delete.h"

#include <algorithm>

#include "base/encode.h"
#include "base/limits.h"
#include "storage/s3_bucket.h"
#include "storage/s3_errors.h"
#include "storage/s3_xml_bucket.h"

namespace cloakroom {
namespace {

// References to control characters are not well-formed, and U+FFFE and U+FFFF are no characters (XML 1.0, 2.2). CR and
// LF could be written, but many a store's parser makes one of the other.
bool fits_xml(std::string_view key) {
  return !has_control(key) && is_utf8(key) && key.find("\xEF\xBF\xBE") == std::string_view::npos &&
         key.find("\xEF\xBF\xBF") == std::string_view::npos;
}

struct Batch {
  std::vector<std::size_t> places;  // in the caller's list
  std::vector<std::string_view> keys;
};

// Nothing: the store has no such call. Else every outcome of the batch is in its place.
bool delete_batch(S3Client& client, const Batch& batch, std::vector<Status>& outcomes) {
  const auto set_all = [&](const Status& status) {
    for (const std::size_t place : batch.places) outcomes[place] = status;
    return true;
  };
  const std::string xml = delete_objects_xml(batch.keys);
  const Result<HttpAnswer> answer = send_document(
      client, {"POST", "delete=", xml, limits::kS3ErrorBodyBytes + batch.keys.size() * limits::kS3KeyEntryBytes});
  if (!answer) return set_all(answer.error());
  if (is_not_implemented(*answer)) return false;
  Status good = check_result("POST", *answer, "DeleteResult");
  if (!good) {
    if (good.error().code == Errc::kNotFound) return set_all(Error{Errc::kStore, good.error().detail});
    return set_all(good);
  }
  const auto failures = parse_delete_result(answer->body);
  if (!failures) return set_all(Error{Errc::kStore, failures.error().detail, {}, true});
  for (const auto& [key, code] : *failures) {
    if (code == "NoSuchKey") continue;
    const Status failed = s3_error_of_code("POST", code);
    bool is_known = false;
    for (std::size_t i = 0; i < batch.keys.size(); ++i) {
      if (batch.keys[i] != key) continue;
      outcomes[batch.places[i]] = failed;
      is_known = true;
    }
    if (!is_known) return set_all(failed);  // whichever it was: to remove twice does no harm
  }
  return true;
}

}  // namespace

Status delete_object(S3Client& client, std::string_view key) {
  TRY_ASSIGN(const HttpAnswer answer, client.call({.method = "DELETE", .key = key}));
  Status removed = check_success("DELETE", answer);
  if (!removed && removed.error().code == Errc::kNotFound) return Ok{};
  return removed;
}

std::vector<Status> delete_objects(S3Client& client, std::span<const std::string_view> keys) {
  std::vector<Status> outcomes(keys.size(), Status(Ok{}));
  std::vector<std::size_t> singly;
  bool has_call = true;
  Batch batch;
  const auto send = [&] {
    if (batch.keys.size() < 2 || !has_call || !delete_batch(client, batch, outcomes)) {
      has_call = has_call && batch.keys.size() < 2;
      singly.insert(singly.end(), batch.places.begin(), batch.places.end());
    }
    batch = {};
  };
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (!fits_xml(keys[i])) {
      singly.push_back(i);
      continue;
    }
    batch.places.push_back(i);
    batch.keys.push_back(keys[i]);
    if (batch.keys.size() == limits::kS3DeleteKeys) send();
  }
  send();
  for (const std::size_t i : singly) outcomes[i] = delete_object(client, keys[i]);
  return outcomes;
}

}  // namespace cloakroom

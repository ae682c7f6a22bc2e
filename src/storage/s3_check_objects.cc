// s3_check_objects.cc — put, head, get, list and the finer points of how a store takes a body.
#include "base/encode.h"
#include "storage/s3_bucket.h"
#include "storage/s3_check.h"
#include "storage/s3_errors.h"
#include "storage/s3_list.h"
#include "storage/s3_multipart.h"
#include "storage/s3_xml_bucket.h"

namespace cloakroom::s3_check {
namespace {

constexpr std::string_view kDisposition = "attachment; filename=\"check.txt\"";

std::string rights(const S3Probe& probe, std::string_view right) {
  return "allow " + std::string(right) + " on '" + probe.all_keys() + "*' and all other keys of the bucket";
}

class Text final : public ByteSink {
 public:
  Status write(std::span<const std::byte> bytes) override {
    if (text.size() + bytes.size() > 4 * S3Probe::body().size()) return Error{Errc::kStore, "store sent too much"};
    text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return Ok{};
  }
  std::string text;
};

}  // namespace

Finding put(S3Probe& probe) {
  const auto answer = probe.put({.headers = {{"Content-Disposition", std::string(kDisposition)},
                                             {"Cache-Control", "private, max-age=60"},
                                             {"x-amz-meta-attachment-id", "check"}}});
  if (succeeded(answer)) return good("an object can be stored");
  const bool denied = answer && answer->status == 403;
  return failure("cannot store an object: " + told("PUT", answer),
                 denied ? rights(probe, "s3:PutObject") : "see the store's own log for the cause");
}

Finding head(S3Probe& probe) {
  const std::string key = probe.key();
  const auto answer = probe.store().call({.method = "HEAD", .key = key});
  if (!succeeded(answer)) return failure(told("HEAD", answer), rights(probe, "s3:GetObject"));
  std::string wrong;
  const auto expect = [&](std::string_view name, std::string_view value) {
    if (answer->header(name) != value) wrong.append(wrong.empty() ? "" : ", ").append(name);
  };
  expect("content-length", std::to_string(S3Probe::body().size()));
  expect("content-type", "text/plain; charset=utf-8");
  expect("content-disposition", kDisposition);
  expect("cache-control", "private, max-age=60");
  expect("x-amz-meta-attachment-id", "check");
  if (wrong.empty()) return good("the object has its length, type, disposition, Cache-Control and metadata");
  return warning("the object came back with another " + wrong,
                 "see whether something between here and the store rewrites headers");
}

Finding get(S3Probe& probe) {
  const std::string key = probe.key();
  Text body;
  const auto answer = probe.store().call({.method = "GET", .key = key, .sink = &body});
  if (!succeeded(answer)) return failure(told("GET", answer), rights(probe, "s3:GetObject"));
  if (body.text != S3Probe::body()) {
    return failure("the object came back with other bytes",
                   "see whether something between here and the store changes bodies");
  }
  return good("the object came back byte for byte");
}

Finding range(S3Probe& probe) {
  const std::string key = probe.key();
  Text body;
  const auto answer =
      probe.store().call({.method = "GET", .key = key, .headers = {{"Range", "bytes=6-10"}}, .sink = &body});
  if (!succeeded(answer)) return failure("a range: " + told("GET", answer), rights(probe, "s3:GetObject"));
  const std::string whole = "bytes 6-10/" + std::to_string(S3Probe::body().size());
  if (answer->status == 206 && answer->header("content-range") == whole && body.text == S3Probe::body().substr(6, 5)) {
    return good("a range of the object can be read");
  }
  return failure(
      "the store answered a range with status " + std::to_string(answer->status) + " and " +
          std::to_string(body.text.size()) + " bytes",
      "see whether a cache or proxy between here and the store drops Range: videos and resumed downloads need it");
}

Finding list(S3Probe& probe) {
  S3Listing listing(probe.store(), {.prefix = probe.all_keys()});
  bool is_shown = false;
  while (true) {
    if (probe.wanted().stopped()) return warning("stopped while listing", "start it again");
    const auto object = listing.next();
    if (!object) return warning(object.error().detail, "allow s3:ListBucket: left-overs are found by listing");
    if (!*object) break;
    is_shown = is_shown || (*object)->key == probe.key();
    probe.remember_left_over((*object)->key);
  }
  if (!is_shown) {
    return failure("a listing does not show an object that was just stored",
                   "see whether the store lists late (eventual consistency)");
  }
  return good("a listing shows the object");
}

Finding unsigned_payload(S3Probe& probe) {
  const auto answer = probe.put({.ending = "-unsigned", .payload_hash = kUnsignedPayload});
  return compared(probe, {"UNSIGNED-PAYLOAD", probe.profile().unsigned_payload, succeeded(answer),
                          succeeded(answer) ? "" : told("PUT", answer)});
}

Finding checksums(S3Probe& probe) {
  // Base64 of the CRC-32 (zlib's) of body(), big-endian. Its test computes it anew.
  const auto answer = probe.put({.ending = "-crc32",
                                 .headers = {{"x-amz-checksum-crc32", std::string(S3Probe::kBodyCrc32)},
                                             {"x-amz-sdk-checksum-algorithm", "CRC32"}}});
  const bool taken = succeeded(answer);
  // Stores that know it say it again; the others only let it pass.
  const bool understood = taken && !answer->header("x-amz-checksum-crc32").empty();
  const std::string_view what =
      taken && !understood ? "x-amz-checksum-crc32, without looking at it" : "x-amz-checksum-crc32";
  Finding found = compared(probe, {what, probe.profile().checksums, taken, taken ? "" : told("PUT", answer)});
  found.text += "; cloakroom sends none";
  found.verdict = Verdict::kOk;  // nothing depends on it
  found.remedy.clear();
  return found;
}

Finding conditional_put(S3Probe& probe) {
  const auto answer = probe.put({.headers = {{"If-None-Match", "*"}}});
  const bool kept = answer && answer->status == 412;
  Finding found =
      compared(probe, {"a PUT that must not overwrite (If-None-Match: *)", probe.profile().conditional_put, kept,
                       kept                ? ""
                       : succeeded(answer) ? "it overwrote"
                                           : told("PUT", answer)});
  found.verdict = Verdict::kOk;  // keys are never used twice: nothing depends on it
  found.remedy.clear();
  return found;
}

Finding multipart(S3Probe& probe) {
  const std::string key = probe.key(S3Probe::kUploadEnding);
  const auto id = create_multipart(probe.store(), key, {{"Content-Type", "application/octet-stream"}});
  if (!id) {
    probe.remember_lost_upload();
    return failure("cannot begin a multipart upload: " + id.error().detail, rights(probe, "s3:PutObject"));
  }
  probe.remember_upload(*id);
  const std::string query = "partNumber=1&uploadId=" + percent_encode(*id);
  const std::string hash = hex_encode(sha256(S3Probe::body()));
  const auto part =
      probe.store().call({.method = "PUT", .key = key, .query = query, .payload_hash = hash, .text = S3Probe::body()});
  if (!succeeded(part) || part->header("etag").empty()) {
    return failure("cannot upload a part: " + (succeeded(part) ? "no ETag" : told("PUT", part)),
                   rights(probe, "s3:PutObject"));
  }
  if (const Status ended = abort_multipart(probe.store(), {key, *id}); !ended) {
    return failure("cannot abort a multipart upload: " + ended.error().detail,
                   rights(probe, "s3:AbortMultipartUpload"));
  }
  probe.forget_upload();
  return good("a multipart upload can be begun, given a part, and aborted");
}

Finding remove_many(S3Probe& probe) {
  constexpr std::string_view kEnding = "-many";
  if (const auto stored = probe.put({.ending = kEnding}); !succeeded(stored)) {
    return failure(told("PUT", stored), rights(probe, "s3:PutObject"));
  }
  const std::string key = probe.key(kEnding);
  const std::string_view keys[]{key};
  const std::string xml = delete_objects_xml(keys);
  const auto answer = send_document(probe.store(), {"POST", "delete=", xml});
  const auto refused = [](const std::string& why) {
    return warning("cannot delete several objects at once: " + why,
                   "nothing: they are deleted one by one, which is slower");
  };
  if (!answer) return refused(answer.error().detail);
  if (const Status done = check_result("POST", *answer, "DeleteResult"); !done) return refused(done.error().detail);
  const auto failures = parse_delete_result(answer->body);
  if (!failures) return refused(failures.error().detail);
  if (!failures->empty()) return refused("store answered " + failures->front().code);
  const auto gone = probe.store().call({.method = "HEAD", .key = key});
  if (succeeded(gone))
    return failure("DeleteObjects says done, but the object is there", "see the store's own log for the cause");
  return good("several objects can be deleted at once");
}

}  // namespace cloakroom::s3_check

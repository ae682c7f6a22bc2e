// s3.cc — the operations of BlobStore and Presigner as S3 requests.
#include "storage/s3.h"

#include <algorithm>

#include "base/encode.h"
#include "base/file.h"
#include "base/limits.h"
#include "storage/object_headers.h"
#include "storage/s3_copy.h"
#include "storage/s3_delete.h"
#include "storage/s3_errors.h"
#include "storage/s3_parts.h"
#include "storage/s3_xml.h"

namespace cloakroom {
namespace {

constexpr std::string_view kDefaultRegion = "us-east-1";
constexpr unsigned kResumes = 2;  // of one broken body

std::string range_text(std::uint64_t first, std::uint64_t end) {
  return std::to_string(first) + "-" + std::to_string(end - 1);
}

// Takes the bytes of one range over several attempts.
class RangeSink final : public ByteSink {
 public:
  RangeSink(const ByteRange& range, ByteSink& inner)
      : next_(range.offset), end_(range.offset + range.length), inner_(inner) {}

  Status write(std::span<const std::byte> bytes) override {
    if (bytes.size() > end_ - next_) return Error{Errc::kStore, "store sent more than it was asked for"};
    TRY(inner_.write(bytes));
    next_ += bytes.size();
    return Ok{};
  }

  // 206 for exactly what is still wanted, or 200 when that is the whole object.
  Status accept(const HttpAnswer& answer) {
    const std::string_view etag = answer.header("etag");
    if (etag_.empty()) etag_ = etag;
    // A store that does not know If-Match must not make two objects one.
    if (etag != etag_ && !etag.empty()) return Error{Errc::kStore, "the object changed while it was read"};
    if (answer.status == 206) {
      const std::string wanted = "bytes " + range_text(next_, end_) + "/";
      if (answer.header("content-range").substr(0, wanted.size()) == wanted) return Ok{};
    } else if (answer.status == 200 && next_ == 0) {
      const auto length = parse_u64(answer.header("content-length"));
      if (length && *length == end_) return Ok{};
    }
    return Error{Errc::kStore, "store answered " + std::to_string(answer.status) + " to GET with another range"};
  }

  std::uint64_t next() const { return next_; }
  std::uint64_t end() const { return end_; }
  const std::string& etag() const { return etag_; }

 private:
  std::uint64_t next_;
  std::uint64_t end_;
  std::string etag_;
  ByteSink& inner_;
};

}  // namespace

Result<std::unique_ptr<S3Store>> S3Store::make(const S3Options& options, const Clock& clock, StoreKind kind) {
  TRY_ASSIGN(auto client, S3Client::make(options, clock));
  return std::unique_ptr<S3Store>(new S3Store(std::move(client), kind));
}

Result<HttpAnswer> S3Store::head_bucket(std::chrono::milliseconds timeout) {
  return client_->call({.method = "HEAD", .timeout = timeout});
}

Result<HttpAnswer> S3Store::create_bucket(bool with_region) {
  const std::string xml = with_region ? create_bucket_xml(client_->options().region) : std::string();
  const std::string hash = hex_encode(sha256(xml));
  S3Request request{.method = "PUT", .payload_hash = hash, .text = xml, .path_style = true};
  if (with_region) request.headers.push_back({"Content-Type", "application/xml"});
  return client_->call(request);
}

Status S3Store::ready() {
  TRY_ASSIGN(const HttpAnswer answer, head_bucket(client_->options().ready_timeout));
  if (is_success(answer)) return Ok{};
  Error error = s3_error("HEAD", answer);
  if (error.code == Errc::kNotFound)
    error = Error{Errc::kStore, "bucket '" + client_->options().bucket + "' does not exist"};
  return error;
}

Status S3Store::prepare() {
  TRY_ASSIGN(const HttpAnswer found, head_bucket(client_->options().small_call_timeout));
  if (is_success(found)) return Ok{};
  if (found.status != 404) return s3_error("HEAD", found);

  const bool with_region = !client_->options().region.empty() && client_->options().region != kDefaultRegion;
  TRY_ASSIGN(HttpAnswer created, create_bucket(with_region));
  const std::string code = is_success(created) ? std::string() : s3_error_code(created);
  // Ceph takes only names of its own zone groups, Garage and MinIO only their own region; all take no body.
  if (with_region && (code == "InvalidLocationConstraint" || code == "IllegalLocationConstraintException")) {
    TRY_ASSIGN(created, create_bucket(false));
  }
  // 409: another worker was faster, or the name belongs to somebody else. A second HEAD tells which.
  if (!is_success(created) && created.status != 409) return s3_error("PUT", created);
  return ready();
}

Result<Sha256Digest> S3Store::put(const ObjectKey& key, const FileRange& bytes, const ObjectMeta& meta) {
  TRY_ASSIGN(StoreHeaders headers, object_headers(meta));
  if (bytes.size > client_->options().multipart_from_bytes) {
    return put_parts(*client_, {.key = key.str(), .headers = headers, .bytes = bytes});
  }
  if (bytes.size > limits::kS3SinglePutBytes) return Error{Errc::kTooLarge, "cannot upload: larger than one PutObject"};
  TRY_ASSIGN(const Sha256Digest digest, hash_range(bytes));
  const std::string hash = hex_encode(digest);
  const S3Request request{.method = "PUT",
                          .key = key.str(),
                          .headers = std::move(headers),
                          .payload_hash = hash,
                          .file = &bytes,
                          .timeout = std::chrono::milliseconds(0)};
  TRY_ASSIGN(const HttpAnswer answer, client_->call(request));
  Status stored = check_success("PUT", answer);
  if (stored) return digest;
  Error error = std::move(stored).error();
  if (error.code == Errc::kNotFound) error.code = Errc::kStore;  // nothing is looked for by a PUT
  return error;
}

Result<ObjectInfo> S3Store::head(const ObjectKey& key) {
  TRY_ASSIGN(const HttpAnswer answer, client_->call({.method = "HEAD", .key = key.str()}));
  if (!is_success(answer)) return s3_error("HEAD", answer);
  const auto size = parse_u64(answer.header("content-length"));
  if (!size) return Error{Errc::kStore, "store answered HEAD without a length"};
  return ObjectInfo{*size, std::string(answer.header("content-type"))};
}

Status S3Store::get(const ObjectKey& key, const ByteRange& range, ByteSink& sink) {
  if (range.length == 0) {  // cannot be written as a Range; absent must still be an error
    TRY(head(key));
    return Ok{};
  }
  RangeSink wanted(range, sink);
  for (unsigned resumes = 0;; ++resumes) {
    const std::uint64_t begun_at = wanted.next();
    S3Request request{.method = "GET",
                      .key = key.str(),
                      .sink = &wanted,
                      .accept_body = [&wanted](const HttpAnswer& answer) { return wanted.accept(answer); },
                      .timeout = std::chrono::milliseconds(0)};
    request.headers.push_back({"Range", "bytes=" + range_text(wanted.next(), wanted.end())});
    if (resumes > 0) request.headers.push_back({"If-Match", wanted.etag()});
    Result<HttpAnswer> answer = client_->call(request);
    if (answer && !is_success(*answer)) return s3_error("GET", *answer);
    if (wanted.next() == wanted.end()) return Ok{};
    Error error =
        answer ? Error{Errc::kStore, "store sent less than it was asked for", {}, true} : std::move(answer).error();
    // Resume only what has made progress; a dead store is for the caller's retry, with its pauses.
    const bool may_resume = error.retryable && wanted.next() > begun_at && !wanted.etag().empty() && resumes < kResumes;
    if (!may_resume) return error;
  }
}

Status S3Store::remove(const ObjectKey& key) {
  return delete_object(*client_, key.str());
}

std::vector<Status> S3Store::remove_many(std::span<const ObjectKey> keys) {
  std::vector<std::string_view> names;
  names.reserve(keys.size());
  for (const ObjectKey& key : keys) names.push_back(key.str());
  return delete_objects(*client_, names);
}

Status S3Store::copy(const ObjectKey& from, const ObjectKey& to, const ObjectMeta& meta) {
  return copy_object(*client_, from, to, meta);
}

namespace {

Result<PresignInput> presign_input(const ObjectKey& key, const PresignRequest& request) {
  if (request.method != "GET" && request.method != "HEAD")
    return Error{Errc::kInvalid, "cannot presign: neither GET nor HEAD"};
  if (!is_plain_ascii(request.content_disposition) || !is_plain_ascii(request.content_type)) {
    return Error{Errc::kInvalid, "cannot presign: an override is not plain ASCII"};
  }
  PresignInput input{
      .method = request.method, .key = key.str(), .expires = request.expires, .for_browser = request.for_browser};
  const auto add = [&query = input.query](std::string_view name, std::string_view value) {
    if (!value.empty()) query.append(query.empty() ? "" : "&").append(name).append("=").append(percent_encode(value));
  };
  add("response-content-disposition", request.content_disposition);
  add("response-content-type", request.content_type);
  return input;
}

}  // namespace

Result<std::string> S3Store::presign_path(const ObjectKey& key, const PresignRequest& request) {
  TRY_ASSIGN(const PresignInput input, presign_input(key, request));
  return client_->presign_path(input);
}

Result<std::string> S3Store::presign(const ObjectKey& key, const PresignRequest& request) {
  TRY_ASSIGN(const PresignInput input, presign_input(key, request));
  return client_->presign_url(input);
}

}  // namespace cloakroom

// s3.cc — the operations of BlobStore and Presigner as S3 requests.
#include "storage/s3.h"

#include <algorithm>

#include "base/encode.h"
#include "base/file.h"
#include "base/limits.h"
#include "storage/s3_errors.h"
#include "storage/s3_xml.h"

namespace cloakroom {
namespace {

constexpr std::string_view kDefaultRegion = "us-east-1";
constexpr unsigned kResumes = 2;  // of one broken body

bool succeeded(const HttpAnswer& answer) {
  return answer.status >= 200 && answer.status < 300;
}

bool is_plain_ascii(std::string_view text) {
  return !has_control(text) &&
         std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

Result<Sha256Digest> hash_range(const FileRange& range) {
  Sha256 hash;
  for (std::uint64_t done = 0; done < range.size;) {
    const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(copy_buffer().size(), range.size - done));
    const std::span<std::byte> block = copy_buffer().first(want);
    TRY_ASSIGN(const std::size_t got, read_at(range.fd, block, range.offset + done));
    if (got != want) return Error{Errc::kInternal, "cannot upload: the file is shorter than its range"};
    hash.update(block);
    done += got;
  }
  return hash.finish();
}

// Header values come from file names in the end: a control character would end the header, other bytes break
// signatures.
Status add_header(StoreHeaders& headers, std::string_view name, const std::string& value) {
  if (value.empty()) return Ok{};
  if (!is_plain_ascii(value))
    return Error{Errc::kInvalid, "cannot store object: header '" + std::string(name) + "' is not plain ASCII"};
  headers.push_back({std::string(name), value});
  return Ok{};
}

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

Result<std::unique_ptr<S3Store>> S3Store::make(const S3Options& options, const Clock& clock) {
  if (options.access_key_id.empty() || options.secret_access_key.empty()) {
    return Error{Errc::kInvalid, "cannot use S3: access key id or secret access key is empty"};
  }
  if (!is_plain_ascii(options.access_key_id) || !is_plain_ascii(options.session_token)) {
    return Error{Errc::kInvalid, "cannot use S3: credentials are not plain ASCII"};
  }
  S3BucketName name{options.endpoint, options.region, options.bucket, options.addressing};
  Places places;
  TRY_ASSIGN(places.internal, locate_bucket(name));
  if (!options.public_endpoint.empty()) name.endpoint = options.public_endpoint;
  TRY_ASSIGN(places.browser, locate_bucket(name));
  name.endpoint = options.endpoint;
  name.addressing = S3Addressing::kPath;
  TRY_ASSIGN(places.creation, locate_bucket(name));
  return std::unique_ptr<S3Store>(new S3Store(options, clock, std::move(places)));
}

S3Store::S3Store(const S3Options& options, const Clock& clock, Places places)
    : options_(options),
      clock_(clock),
      credentials_{options.access_key_id, options.secret_access_key, options.session_token},
      region_(options.region.empty() ? kDefaultRegion : options.region),
      internal_(std::move(places.internal)),
      browser_(std::move(places.browser)),
      creation_(std::move(places.creation)),
      curl_(options.connect_timeout) {}

Result<HttpCall> S3Store::signed_call(Request request) {
  request.headers.insert(request.headers.begin(), {"Host", request.location.host});
  const SignInput input{request.method, request.path, "", request.headers, request.payload_hash, clock_.now()};
  TRY_ASSIGN(StoreHeaders added, sign_headers(input, signing()));
  HttpCall call;
  call.method = request.method;
  call.url = request.location.base() + request.path;
  call.headers = std::move(request.headers);
  call.headers.insert(call.headers.end(), std::make_move_iterator(added.begin()), std::make_move_iterator(added.end()));
  call.timeout = options_.small_call_timeout;
  return call;
}

Result<HttpAnswer> S3Store::head_bucket(std::chrono::milliseconds timeout) {
  TRY_ASSIGN(HttpCall call, signed_call({"HEAD", internal_, internal_.path("")}));
  call.timeout = timeout;
  return curl_.perform(call);
}

Result<HttpAnswer> S3Store::create_bucket(bool with_region) {
  const std::string xml = with_region ? create_bucket_xml(options_.region) : std::string();
  const std::string hash = hex_encode(sha256(xml));
  Request request{"PUT", creation_, creation_.path_prefix, {}, hash};
  if (with_region) request.headers.push_back({"Content-Type", "application/xml"});
  TRY_ASSIGN(HttpCall call, signed_call(std::move(request)));
  call.text = xml;
  return curl_.perform(call);
}

Status S3Store::ready() {
  TRY_ASSIGN(const HttpAnswer answer, head_bucket(options_.ready_timeout));
  if (succeeded(answer)) return Ok{};
  Error error = s3_error("HEAD", answer);
  if (error.code == Errc::kNotFound) error = Error{Errc::kStore, "bucket '" + options_.bucket + "' does not exist"};
  return error;
}

Status S3Store::prepare() {
  TRY_ASSIGN(const HttpAnswer found, head_bucket(options_.small_call_timeout));
  if (succeeded(found)) return Ok{};
  if (found.status != 404) return s3_error("HEAD", found);

  const bool with_region = !options_.region.empty() && options_.region != kDefaultRegion;
  TRY_ASSIGN(HttpAnswer created, create_bucket(with_region));
  const std::string code = succeeded(created) ? std::string() : s3_error_code(created);
  // Ceph takes only names of its own zone groups, Garage and MinIO only their own region; all take no body.
  if (with_region && (code == "InvalidLocationConstraint" || code == "IllegalLocationConstraintException")) {
    TRY_ASSIGN(created, create_bucket(false));
  }
  // 409: another worker was faster, or the name belongs to somebody else. A second HEAD tells which.
  if (!succeeded(created) && created.status != 409) return s3_error("PUT", created);
  return ready();
}

Result<Sha256Digest> S3Store::put(const ObjectKey& key, const FileRange& bytes, const ObjectMeta& meta) {
  if (bytes.size > limits::kS3SinglePutBytes) return Error{Errc::kTooLarge, "cannot upload: larger than one PutObject"};
  TRY_ASSIGN(const Sha256Digest digest, hash_range(bytes));
  const std::string hash = hex_encode(digest);
  Request request{"PUT", internal_, internal_.path(key.str()), {}, hash};
  // Without a type some stores guess one from the content.
  TRY(add_header(request.headers, "Content-Type",
                 meta.content_type.empty() ? "application/octet-stream" : meta.content_type));
  TRY(add_header(request.headers, "Content-Disposition", meta.content_disposition));
  TRY(add_header(request.headers, "Cache-Control", meta.cache_control));
  TRY(add_header(request.headers, "x-amz-meta-attachment-id", meta.attachment_id));
  TRY_ASSIGN(HttpCall call, signed_call(std::move(request)));
  call.file = &bytes;
  call.timeout = std::chrono::milliseconds(0);
  TRY_ASSIGN(const HttpAnswer answer, curl_.perform(call));
  if (succeeded(answer)) return digest;
  Error error = s3_error("PUT", answer);
  if (error.code == Errc::kNotFound) error.code = Errc::kStore;  // nothing is looked for by a PUT
  return error;
}

Result<ObjectInfo> S3Store::head(const ObjectKey& key) {
  TRY_ASSIGN(const HttpCall call, signed_call({"HEAD", internal_, internal_.path(key.str())}));
  TRY_ASSIGN(const HttpAnswer answer, curl_.perform(call));
  if (!succeeded(answer)) return s3_error("HEAD", answer);
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
    Request request{"GET", internal_, internal_.path(key.str())};
    request.headers.push_back({"Range", "bytes=" + range_text(wanted.next(), wanted.end())});
    if (resumes > 0) request.headers.push_back({"If-Match", wanted.etag()});
    TRY_ASSIGN(HttpCall call, signed_call(std::move(request)));
    call.sink = &wanted;
    call.accept_body = [&wanted](const HttpAnswer& answer) { return wanted.accept(answer); };
    call.timeout = std::chrono::milliseconds(0);
    Result<HttpAnswer> answer = curl_.perform(call);
    if (answer && !succeeded(*answer)) return s3_error("GET", *answer);
    if (wanted.next() == wanted.end()) return Ok{};
    Error error =
        answer ? Error{Errc::kStore, "store sent less than it was asked for", {}, true} : std::move(answer).error();
    // Resume only what has made progress; a dead store is for the caller's retry, with its pauses.
    const bool may_resume = error.retryable && wanted.next() > begun_at && !wanted.etag().empty() && resumes < kResumes;
    if (!may_resume) return error;
  }
}

Status S3Store::remove(const ObjectKey& key) {
  TRY_ASSIGN(const HttpCall call, signed_call({"DELETE", internal_, internal_.path(key.str())}));
  TRY_ASSIGN(const HttpAnswer answer, curl_.perform(call));
  if (succeeded(answer)) return Ok{};
  Error error = s3_error("DELETE", answer);
  if (error.code == Errc::kNotFound) return Ok{};
  return error;
}

Result<std::string> S3Store::presign_path(const ObjectKey& key, const PresignRequest& request) {
  if (request.method != "GET" && request.method != "HEAD")
    return Error{Errc::kInvalid, "cannot presign: neither GET nor HEAD"};
  std::string query;
  const auto add = [&query](std::string_view name, std::string_view value) {
    if (!value.empty()) query.append(query.empty() ? "" : "&").append(name).append("=").append(percent_encode(value));
  };
  if (!is_plain_ascii(request.content_disposition) || !is_plain_ascii(request.content_type)) {
    return Error{Errc::kInvalid, "cannot presign: an override is not plain ASCII"};
  }
  add("response-content-disposition", request.content_disposition);
  add("response-content-type", request.content_type);
  const S3Location& location = request.for_browser ? browser_ : internal_;
  const StoreHeaders headers{{"Host", location.host}};
  std::string path = location.path(key.str());
  const SignInput input{request.method, path, query, headers, kUnsignedPayload, clock_.now()};
  TRY_ASSIGN(const std::string signed_query, presign_query(input, signing(), request.expires));
  path.append("?").append(signed_query);
  return path;
}

Result<std::string> S3Store::presign(const ObjectKey& key, const PresignRequest& request) {
  TRY_ASSIGN(const std::string path, presign_path(key, request));
  return (request.for_browser ? browser_ : internal_).base() + path;
}

}  // namespace cloakroom

// s3_multipart.cc — the requests of multipart uploads, and what their answers mean.
#include "storage/s3_multipart.h"

#include <algorithm>
#include <vector>

#include "base/encode.h"
#include "base/limits.h"
#include "storage/s3_errors.h"

namespace cloakroom {
namespace {

constexpr unsigned kUploadsPerPage = 200;
constexpr std::chrono::minutes kCompleteTimeout{5};  // a store may put many parts together before it answers

// An upload that is missing is not a missing file.
Error store_error(std::string_view method, const HttpAnswer& answer) {
  Error error = s3_error(method, answer);
  if (error.code == Errc::kNotFound) error.code = Errc::kStore;
  return error;
}

std::string upload_query(std::string_view upload_id) {
  return "uploadId=" + percent_encode(upload_id);
}

// A list may be longer than an error.
class ListSink final : public ByteSink {
 public:
  Status write(std::span<const std::byte> bytes) override {
    if (bytes.size() > limits::kS3UploadListBytes - text_.size()) {
      return Error{Errc::kStore, "store sent a list of uploads that is too long"};
    }
    text_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return Ok{};
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

bool is_stored(S3Client& client, std::string_view key, std::uint64_t size_bytes) {
  const auto answer = client.call({.method = "HEAD", .key = key});
  if (!succeeded(answer)) return false;
  const auto size = parse_u64(answer->header("content-length"));
  return size && *size == size_bytes;
}

}  // namespace

Result<std::string> create_multipart(S3Client& client, std::string_view key, StoreHeaders headers) {
  TRY_ASSIGN(const HttpAnswer answer,
             client.call({.method = "POST", .key = key, .query = "uploads=", .headers = std::move(headers)}));
  if (!is_success(answer)) return store_error("POST uploads", answer);
  Result<std::string> id = parse_upload_id(answer.body);
  if (id) return id;
  TRY(check_result("POST uploads", answer, "InitiateMultipartUploadResult"));  // names an error inside, if it is one
  return Error{Errc::kStore, "store began an upload without an id", {}, true};
}

Status complete_multipart(S3Client& client, const MultipartRef& upload, std::span<const S3Part> parts,
                          std::uint64_t size_bytes) {
  std::vector<S3Part> sorted(parts.begin(), parts.end());
  std::sort(sorted.begin(), sorted.end(), [](const S3Part& a, const S3Part& b) { return a.number < b.number; });
  const std::string xml = complete_multipart_xml(sorted);
  const std::string hash = hex_encode(sha256(xml));
  S3Request request{.method = "POST",
                    .key = upload.key,
                    .query = upload_query(upload.upload_id),
                    .payload_hash = hash,
                    .text = xml,
                    .stall = kCompleteTimeout,
                    .timeout = kCompleteTimeout};
  request.headers.push_back({"Content-Type", "application/xml"});
  TRY_ASSIGN(const HttpAnswer answer, client.call(request));
  Status done = check_result("POST uploadId", answer, "CompleteMultipartUploadResult");
  if (done) return done;
  if (s3_error_code(answer) == "NoSuchUpload" && is_stored(client, upload.key, size_bytes)) return Ok{};
  if (done.error().code == Errc::kNotFound) return store_error("POST uploadId", answer);
  return done;
}

Status abort_multipart(S3Client& client, const MultipartRef& upload) {
  TRY_ASSIGN(const HttpAnswer answer,
             client.call({.method = "DELETE", .key = upload.key, .query = upload_query(upload.upload_id)}));
  if (is_success(answer) || s3_error("DELETE", answer).code == Errc::kNotFound) return Ok{};
  return s3_error("DELETE uploadId", answer);
}

Result<S3UploadPage> list_multipart(S3Client& client, std::string_view prefix, const S3UploadPage& after) {
  ListSink sink;
  // Without encoding-type: Ceph 16 then encodes the keys and does not say so.
  std::string query = "uploads=&max-uploads=" + std::to_string(kUploadsPerPage);
  if (!prefix.empty()) query += "&prefix=" + percent_encode(prefix);
  if (!after.next_key.empty()) query += "&key-marker=" + percent_encode(after.next_key);
  if (!after.next_id.empty()) query += "&upload-id-marker=" + percent_encode(after.next_id);
  TRY_ASSIGN(const HttpAnswer answer, client.call({.method = "GET", .query = query, .sink = &sink}));
  if (!is_success(answer)) return store_error("GET uploads", answer);
  Result<S3UploadPage> page = parse_upload_page(sink.text());
  if (!page) return Error{Errc::kStore, page.error().detail, {}, true};
  const bool circular = page->next_key == after.next_key && page->next_id == after.next_id;
  if (page->truncated && (circular || page->next_key.empty())) {
    return Error{Errc::kStore, "store sent a list of uploads that does not end"};
  }
  return page;
}

}  // namespace cloakroom

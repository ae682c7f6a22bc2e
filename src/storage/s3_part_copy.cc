// s3_part_copy.cc — the requests of a copy in parts, each repeated by itself.
#include "storage/s3_part_copy.h"

#include <vector>

#include "base/encode.h"
#include "base/log.h"
#include "storage/s3_errors.h"
#include "storage/s3_multipart.h"
#include "storage/s3_xml.h"

namespace cloakroom {
namespace {

Result<S3Part> copy_part(S3Client& client, const PartCopy& copy, const MultipartRef& upload, unsigned number,
                         const ByteRange& range) {
  const std::string bytes =
      "bytes=" + std::to_string(range.offset) + "-" + std::to_string(range.offset + range.length - 1);
  TRY_ASSIGN(
      const HttpAnswer answer,
      client.call({.method = "PUT",
                   .key = upload.key,
                   .query = "partNumber=" + std::to_string(number) + "&uploadId=" + percent_encode(upload.upload_id),
                   .headers = {{"x-amz-copy-source", std::string(copy.source)}, {"x-amz-copy-source-range", bytes}},
                   .stall = copy.silence,
                   .timeout = std::chrono::milliseconds(0)}));
  if (Status done = check_result("PUT part copy", answer, "CopyPartResult"); !done) {
    Error error = std::move(done).error();
    // An upload that others aborted is not a missing source.
    if (error.code == Errc::kNotFound && s3_error_code(answer) == "NoSuchUpload") error.code = Errc::kStore;
    return error;
  }
  Result<std::string> etag = parse_copied_etag(answer.body);
  if (!etag) return Error{Errc::kStore, "store copied a part without an ETag", {}, true};
  return S3Part{number, *std::move(etag)};
}

Status copy_and_complete(S3Client& client, const PartCopy& copy, const MultipartRef& upload, const S3PartPlan& plan,
                         Retrier& retrier) {
  std::vector<S3Part> parts;
  for (unsigned number = 1; number <= plan.parts; ++number) {
    const ByteRange range{(number - 1) * plan.part_bytes, number == plan.parts ? plan.last_bytes : plan.part_bytes};
    TRY_ASSIGN(S3Part part, retrier.repeat([&] { return copy_part(client, copy, upload, number, range); }));
    parts.push_back(std::move(part));
  }
  return retrier.repeat([&] { return complete_multipart(client, upload, parts, copy.size_bytes); });
}

}  // namespace

Status copy_in_parts(S3Client& client, const PartCopy& copy, const PartCopyTools& tools) {
  S3PartRules rules = client.options().parts;
  rules.wanted_part_bytes = client.options().copy_part_bytes;
  TRY_ASSIGN(const S3PartPlan plan, plan_parts(copy.size_bytes, rules));
  TRY_ASSIGN(const std::string id, create_multipart(client, copy.key, copy.headers));
  const MultipartRef upload{copy.key, id};
  Retrier retrier(tools.retry, tools.tools, client.options().quota);
  Status done = copy_and_complete(client, copy, upload, plan, retrier);
  if (done) return done;
  const Status aborted = retrier.repeat([&] { return abort_multipart(client, upload); });
  if (!aborted) log(Level::kWarning, "s3.abort_failed", {{"detail", aborted.error().detail}});
  Error error = std::move(done).error();
  error.was_repeated = true;  // a second try would copy everything again
  return error;
}

}  // namespace cloakroom

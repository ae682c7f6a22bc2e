// s3_copy.cc — in one CopyObject or in parts.
#include "storage/s3_copy.h"

#include "base/encode.h"
#include "storage/object_headers.h"
#include "storage/s3_errors.h"
#include "storage/s3_part_copy.h"

namespace cloakroom {
namespace {

constexpr std::chrono::minutes kSilence{5};  // a store may copy gigabytes before it says a word

Result<std::uint64_t> size_of(S3Client& client, const ObjectKey& key) {
  TRY_ASSIGN(const HttpAnswer answer, client.call({.method = "HEAD", .key = key.str()}));
  if (!is_success(answer)) return s3_error("HEAD", answer);
  const auto size = parse_u64(answer.header("content-length"));
  if (!size) return Error{Errc::kStore, "store answered HEAD without a length"};
  return *size;
}

}  // namespace

Status copy_object(S3Client& client, const ObjectKey& from, const ObjectKey& to, const ObjectMeta& meta) {
  TRY_ASSIGN(const StoreHeaders headers, object_headers(meta));
  const std::string source = "/" + client.options().bucket + "/" + percent_encode_path(from.str());
  TRY_ASSIGN(const std::uint64_t size_bytes, size_of(client, from));
  const PartCopy in_parts{source, to.str(), headers, size_bytes, kSilence};
  if (size_bytes > client.options().copy_in_parts_from_bytes) return copy_in_parts(client, in_parts);

  S3Request request{.method = "PUT", .key = to.str(), .stall = kSilence, .timeout = std::chrono::milliseconds(0)};
  request.headers = {{"x-amz-copy-source", source}, {"x-amz-metadata-directive", "REPLACE"}};
  request.headers.insert(request.headers.end(), headers.begin(), headers.end());
  TRY_ASSIGN(const HttpAnswer answer, client.call(request));
  Status done = check_result("PUT copy", answer, "CopyObjectResult");
  // A store may take less at once than others do.
  if (!done && s3_error_code(answer) == "EntityTooLarge") return copy_in_parts(client, in_parts);
  return done;
}

}  // namespace cloakroom

// s3_list.cc — pages, and what a page must hold to be believed.
#include "storage/s3_list.h"

#include "base/encode.h"
#include "storage/s3_errors.h"

namespace cloakroom {
namespace {

Error bad_listing(const char* why) {
  return Error{Errc::kStore, std::string("cannot list the bucket: ") + why};
}

// Old gateways say in many ways that they do not know "list-type=2".
bool may_be_too_new(const HttpAnswer& answer) {
  const std::string code = s3_error_code(answer);
  return is_not_implemented(answer) ||
         (answer.status == 400 && (code == "InvalidArgument" || code == "InvalidRequest" || code == "InvalidURI"));
}

}  // namespace

std::string S3Listing::query() const {
  std::string text = "encoding-type=url&max-keys=" + std::to_string(options_.page_keys);
  const auto add = [&text](std::string_view name, std::string_view value) {
    if (!value.empty()) text.append("&").append(name).append("=").append(percent_encode(value));
  };
  add("prefix", options_.prefix);
  if (is_version_1_) {
    add("marker", position_.empty() ? options_.start_after : position_);
    return text;
  }
  add("list-type", "2");
  if (position_.empty()) {
    add("start-after", options_.start_after);
  } else {
    add("continuation-token", position_);
  }
  return text;
}

Result<S3ListPage> S3Listing::read_page() {
  const auto ask = [this] {
    const std::size_t most = limits::kS3ErrorBodyBytes + options_.page_keys * limits::kS3KeyEntryBytes;
    return client_.call({.method = "GET", .query = query(), .body_limit = most});
  };
  TRY_ASSIGN(HttpAnswer answer, ask());
  if (!has_begun_ && !is_version_1_ && may_be_too_new(answer)) {
    is_version_1_ = true;
    TRY_ASSIGN(answer, ask());
  }
  Status good = check_result("GET", answer, "ListBucketResult");
  if (!good) {
    Error error = std::move(good).error();
    if (error.code == Errc::kNotFound) error.code = Errc::kStore;  // of the bucket: no object was looked for
    return error;
  }
  Result<S3ListPage> page = parse_s3_list(answer.body);
  if (!page) return Error{Errc::kStore, page.error().detail};
  return page;
}

Status S3Listing::fetch() {
  TRY_ASSIGN(S3ListPage page, read_page());
  for (const S3ListedObject& object : page.objects) {
    if (object.key.rfind(options_.prefix, 0) != 0) return bad_listing("the store names a key outside of the prefix");
  }
  const bool is_version_1 = is_version_1_ || page.is_version_1;  // it may not know what it was asked for
  std::string next = is_version_1 ? std::move(page.marker) : std::move(page.token);
  if (page.is_truncated && next.empty()) return bad_listing("the store says that there is more, but not where");
  if (page.is_truncated && next == position_) return bad_listing("the store sends us in a circle");
  is_version_1_ = is_version_1;
  has_begun_ = true;
  is_at_end_ = !page.is_truncated;
  position_ = std::move(next);
  page_ = std::move(page);
  taken_ = 0;
  return Ok{};
}

Result<std::optional<S3ListedObject>> S3Listing::next() {
  while (taken_ == page_.objects.size()) {
    if (is_at_end_) return std::optional<S3ListedObject>();
    TRY(fetch());
  }
  return std::optional(std::move(page_.objects[taken_++]));
}

}  // namespace cloakroom

// s3_multipart_test.cc — multipart uploads on a real S3 store: what becomes an object, what is listed, what is gone.
#include "storage/s3_multipart.h"

#include <string>
#include <vector>

#include "real_store.h"
#include "store_suite.h"

using namespace cloakroom;         // NOLINT: a test
using namespace cloakroom::suite;  // NOLINT: a test

namespace {

const StoreHeaders kHeaders{{"Content-Type", "image/png"}, {"x-amz-meta-attachment-id", "17"}};

S3Part send_part(const MultipartRef& upload, unsigned number, const std::string& bytes) {
  const std::string hash = hex_encode(sha256(bytes));
  const HttpAnswer answer = CHECK_OK(real::client().call(
      {.method = "PUT",
       .key = upload.key,
       .query = "partNumber=" + std::to_string(number) + "&uploadId=" + percent_encode(upload.upload_id),
       .payload_hash = hash,
       .text = bytes}));
  CHECK_EQ(answer.status, 200);
  return {number, std::string(answer.header("etag"))};
}

std::vector<S3Upload> all_uploads(std::string_view prefix) {
  std::vector<S3Upload> all;
  for (S3UploadPage page;;) {
    page = CHECK_OK(list_multipart(real::client(), prefix, page));
    all.insert(all.end(), page.uploads.begin(), page.uploads.end());
    if (!page.truncated) return all;
  }
}

void parts_in_any_order_become_one_object_with_its_headers() {
  const std::string key = "done/" + random_hex(8) + " \xC3\xBC+(1).bin";
  const std::string id = CHECK_OK(create_multipart(real::client(), key, kHeaders));
  const MultipartRef upload{key, id};
  const std::string first = pattern(5U << 20), last = "the end";
  std::vector<S3Part> parts{send_part(upload, 2, last)};
  parts.push_back(send_part(upload, 1, first));
  const std::uint64_t size = first.size() + last.size();
  CHECK_OK(complete_multipart(real::client(), upload, parts, size));
  StringSink sink;
  const HttpAnswer got = CHECK_OK(real::client().call({.method = "GET", .key = key, .sink = &sink}));
  CHECK_EQ(got.header("content-type"), "image/png");
  CHECK_EQ(got.header("x-amz-meta-attachment-id"), "17");
  check_bytes(sink.text, first + last);
  CHECK(all_uploads("done/").empty());
  CHECK_OK(complete_multipart(real::client(), upload, parts, size));  // as after a lost answer
  CHECK_OK(abort_multipart(real::client(), upload));                  // too late: the object stays
  CHECK_EQ(CHECK_OK(real::client().call({.method = "HEAD", .key = key})).status, 200);
}

void an_aborted_upload_leaves_nothing_and_cannot_be_completed() {
  const std::string key = "aborted/" + random_hex(8);
  const std::string id = CHECK_OK(create_multipart(real::client(), key, kHeaders));
  const MultipartRef upload{key, id};
  const std::vector<S3Part> parts{send_part(upload, 1, "bytes")};
  CHECK_EQ(all_uploads("aborted/").size(), 1U);
  CHECK_OK(abort_multipart(real::client(), upload));
  CHECK_OK(abort_multipart(real::client(), upload));
  CHECK(all_uploads("aborted/").empty());
  const Status late = complete_multipart(real::client(), upload, parts, 5);
  CHECK(!late && late.error().code == Errc::kStore);  // of Ceph a 500: "already in progress"
  CHECK_EQ(CHECK_OK(real::client().call({.method = "HEAD", .key = key})).status, 404);
}

void a_wrong_etag_is_refused() {
  const std::string key = "wrong/" + random_hex(8);
  const std::string id = CHECK_OK(create_multipart(real::client(), key, kHeaders));
  const MultipartRef upload{key, id};
  send_part(upload, 1, "bytes");
  const std::vector<S3Part> parts{{1, "\"00000000000000000000000000000000\""}};
  const Status done = complete_multipart(real::client(), upload, parts, 5);
  CHECK(!done && !done.error().retryable);
  CHECK_OK(abort_multipart(real::client(), upload));
}

void left_overs_are_listed_with_key_id_and_time_over_pages() {
  const std::vector<std::string> odd{"left/a +b%2F&<\xC3\xBC>.txt", "left/plain"};
  const TimePoint begun = system_now();
  for (const std::string& key : odd) (void)CHECK_OK(create_multipart(real::client(), key, {}));
  for (int i = 0; i < 205; ++i) (void)CHECK_OK(create_multipart(real::client(), "left/many", {}));
  (void)CHECK_OK(create_multipart(real::client(), "other/one", {}));
  const std::vector<S3Upload> all = all_uploads("left/");
  CHECK_EQ(all.size(), 207U);
  CHECK_EQ(all.front().key, odd.front());
  CHECK_EQ(all.back().key, odd.back());
  for (const S3Upload& upload : all) {
    CHECK(upload.initiated > begun - std::chrono::seconds(5) && upload.initiated < begun + std::chrono::minutes(2));
    CHECK_OK(abort_multipart(real::client(), {upload.key, upload.id}));
  }
  CHECK(all_uploads("left/").empty());
  CHECK_EQ(all_uploads("").size(), 1U);
}

void a_large_file_is_stored_in_parts_and_comes_back_whole() {
  S3Store& store = real::store();
  const std::string bytes = pattern((64U << 20) + 12345);
  const TempFile file(bytes);
  const ObjectKey key = fresh_key();
  CHECK_EQ(hex_encode(CHECK_OK(store.put(key, file.whole(), text_meta()))), hex_encode(sha256(bytes)));
  const HttpAnswer head = CHECK_OK(real::client().call({.method = "HEAD", .key = key.str()}));
  CHECK(head.header("etag").find("-5\"") != std::string_view::npos);  // of five parts
  CHECK_EQ(head.header("content-type"), text_meta().content_type);
  check_bytes(get_range(store, key, {0, bytes.size()}), bytes);
  check_bytes(get_range(store, key, {(16U << 20) - 3, 6}), bytes.substr((16U << 20) - 3, 6));  // over the seam
  CHECK_OK(store.put(key, file.whole(), text_meta()));                                         // again: the same end
  CHECK_OK(store.remove(key));
  CHECK(all_uploads(key.str()).empty());
}

}  // namespace

int main() {
  if (real::is_skipped()) return 0;
  const CMUnitTest tests[] = {
      CASE(parts_in_any_order_become_one_object_with_its_headers),
      CASE(an_aborted_upload_leaves_nothing_and_cannot_be_completed),
      CASE(a_wrong_etag_is_refused),
      CASE(a_large_file_is_stored_in_parts_and_comes_back_whole),
      CASE(left_overs_are_listed_with_key_id_and_time_over_pages),
  };
  return RUN_TESTS("s3_multipart", tests);
}

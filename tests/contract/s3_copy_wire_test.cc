// s3_copy_wire_test.cc — what a copy puts on the wire, and what is made of answers that no real store gives on request.
#include <memory>
#include <string>
#include <vector>

#include "scripted_store.h"
#include "storage/s3_part_copy.h"

using namespace cloakroom;         // NOLINT: a test
using namespace cloakroom::suite;  // NOLINT: a test

namespace {

const std::string kDone = "<?xml version=\"1.0\"?><CopyObjectResult><ETag>x</ETag></CopyObjectResult>";

std::string error_body(const std::string& code) {
  return "<Error><Code>" + code + "</Code></Error>";
}

// Of the source, which is looked at first.
Reply head_of(std::uint64_t size_bytes) {
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(size_bytes) + "\r\n\r\n";
}

struct Wire : ScriptedStore {
  static constexpr std::uint64_t kOneCopy = 2U << 20;

  explicit Wire(Reply reply) : Wire(std::vector<Reply>{head_of(5), std::move(reply)}) {}
  explicit Wire(std::vector<Reply> replies)
      : ScriptedStore(std::move(replies), [](S3Options& o) {
          o.parts = {.min_part_bytes = 1U << 20, .max_parts = 1000};
          o.copy_in_parts_from_bytes = kOneCopy;
          o.copy_part_bytes = 1U << 20;
        }) {}
  Status copy() { return store->copy(key_of("q/a+b c\xC3\xBC.txt"), key_of("final"), text_meta()); }
};

void a_copy_names_its_source_encoded_and_sends_all_metadata_again() {
  Wire w(answer("200 OK", "", kDone));
  CHECK_OK(w.copy());
  CHECK_EQ(w.server.first_line(0), "HEAD /files/q/a%2Bb%20c%C3%BC.txt HTTP/1.1");
  const std::string request = w.server.request(1);
  CHECK_EQ(w.server.first_line(1), "PUT /files/final HTTP/1.1");
  for (const char* line : {"x-amz-copy-source: /files/q/a%2Bb%20c%C3%BC.txt", "x-amz-metadata-directive: REPLACE",
                           "Content-Type: text/plain; charset=utf-8", "Cache-Control: private, max-age=60",
                           "x-amz-meta-attachment-id: 0198c0de", "Content-Length: 0"}) {
    CHECK(request.find(std::string("\r\n") + line + "\r\n") != std::string::npos);
  }
  CHECK(request.find(";x-amz-copy-source;x-amz-date;x-amz-meta-attachment-id;x-amz-metadata-directive") !=
        std::string::npos);
}

void a_200_with_an_error_inside_is_a_failure_to_be_repeated() {
  Wire w(answer("200 OK", "", error_body("InternalError")));
  const Status copied = w.copy();
  CHECK(!copied && copied.error().code == Errc::kStore && copied.error().retryable);
}

void a_200_that_breaks_off_is_a_failure_to_be_repeated() {
  for (const std::string& body : {std::string("  "), kDone.substr(0, 40)}) {
    Wire w(answer("200 OK", "", body));
    const Status copied = w.copy();
    CHECK(!copied && copied.error().code == Errc::kStore && copied.error().retryable);
  }
}

void a_missing_source_is_not_found() {
  Wire missing(std::vector<Reply>{"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"});
  CHECK_ERR(missing.copy(), Errc::kNotFound);
  CHECK_EQ(missing.server.requests().size(), 1U);
  Wire gone_since(answer("404 Not Found", "", error_body("NoSuchKey")));
  CHECK_ERR(gone_since.copy(), Errc::kNotFound);
}

const std::string kBegun = "<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>";
const std::string kCompleted = "<CompleteMultipartUploadResult/>";

Reply copied(const std::string& etag) {
  return answer("200 OK", "", "<CopyPartResult><ETag>&quot;" + etag + "&quot;</ETag></CopyPartResult>");
}

void an_object_over_the_limit_is_copied_in_parts_with_its_metadata() {
  Wire w({head_of(Wire::kOneCopy + 7), answer("200 OK", "", kBegun), copied("e1"), copied("e2"), copied("e3"),
          answer("200 OK", "", kCompleted)});
  CHECK_OK(w.copy());
  CHECK_EQ(w.server.first_line(1), "POST /files/final?uploads= HTTP/1.1");
  for (const char* line :
       {"Content-Type: text/plain; charset=utf-8", "Cache-Control: private, max-age=60",
        "Content-Disposition: attachment; filename=\"a.txt\"", "x-amz-meta-attachment-id: 0198c0de"}) {
    CHECK(w.server.request_has(1, std::string("\r\n") + line + "\r\n"));
  }
  const char* const ranges[] = {"0-1048575", "1048576-2097151", "2097152-2097158"};
  for (unsigned n = 1; n <= 3; ++n) {
    CHECK_EQ(w.server.first_line(n + 1), "PUT /files/final?partNumber=" + std::to_string(n) + "&uploadId=u1 HTTP/1.1");
    CHECK(w.server.request_has(n + 1, std::string("\r\nx-amz-copy-source-range: bytes=") + ranges[n - 1] + "\r\n"));
    CHECK(w.server.request_has(n + 1, "\r\nx-amz-copy-source: /files/q/a%2Bb%20c%C3%BC.txt\r\n"));
    CHECK(w.server.request_has(n + 1, "\r\nContent-Length: 0\r\n"));
    CHECK(w.server.request_has(n + 1, ";x-amz-copy-source;x-amz-copy-source-range;x-amz-date,"));
    CHECK(!w.server.request_has(n + 1, "metadata-directive"));
  }
  CHECK_EQ(w.server.first_line(5), "POST /files/final?uploadId=u1 HTTP/1.1");
  CHECK(w.server.request_has(5, "<PartNumber>3</PartNumber><ETag>\"e3\"</ETag>"));
}

void one_of_the_limit_is_copied_at_once() {
  Wire w({head_of(Wire::kOneCopy), answer("200 OK", "", kDone)});
  CHECK_OK(w.copy());
  CHECK_EQ(w.server.requests().size(), 2U);
}

void what_the_store_calls_too_large_for_one_copy_goes_in_parts() {
  Wire w({head_of(5), answer("400 Bad Request", "", error_body("EntityTooLarge")), answer("200 OK", "", kBegun),
          copied("e1"), answer("200 OK", "", kCompleted)});
  CHECK_OK(w.copy());
  CHECK(w.server.request_has(3, "x-amz-copy-source-range: bytes=0-4\r\n"));
}

// The parts' own faults, on the wire of a store that recovers.
PartCopyTools hasty(std::vector<std::chrono::milliseconds>& pauses) {
  return {.retry = {.attempts = 3},
          .tools = {[&pauses](std::chrono::milliseconds p) { pauses.push_back(p); }, [] { return 1.0; }}};
}

struct Parts : Wire {
  std::vector<std::chrono::milliseconds> pauses;
  using Wire::Wire;
  Status copy_parts() {
    return copy_in_parts(store->client(),
                         {.source = "/files/from",
                          .key = "final",
                          .headers = {},
                          .size_bytes = (1U << 20) + 1,
                          .silence = std::chrono::seconds(1)},
                         hasty(pauses));
  }
};

void a_part_that_fails_in_passing_is_copied_again_and_no_other() {
  for (const Reply& fault :
       {Reply(error_answer("503 Slow Down", "SlowDown")), Reply(answer("200 OK", "", error_body("InternalError"))),
        Reply(answer("200 OK", "", "<CopyPartResult><ETag>\"e")), Reply(answer("200 OK", "", "<CopyPartResult/>")),
        Reply(broken("200 OK", "", 500, "<CopyPartResult>"))}) {
    Parts p({answer("200 OK", "", kBegun), copied("e1"), fault, copied("e2"), answer("200 OK", "", kCompleted)});
    CHECK_OK(p.copy_parts());
    CHECK_EQ(p.pauses.size(), 1U);
    CHECK_EQ(p.server.first_line(2), p.server.first_line(3));
    CHECK(p.server.request_has(3, "?partNumber=2&"));
  }
}

void parts_that_keep_failing_end_in_an_abort_and_are_not_begun_anew() {
  const Reply sick = error_answer("500 Internal Server Error", "InternalError");
  Parts p({answer("200 OK", "", kBegun), copied("e1"), sick, sick, sick, sick, answer("204 No Content", "", "")});
  const Status done = p.copy_parts();
  CHECK(!done && done.error().code == Errc::kStore && done.error().retryable && done.error().was_repeated);
  CHECK_EQ(p.server.requests().size(), 7U);
  CHECK_EQ(p.server.first_line(5), "DELETE /files/final?uploadId=u1 HTTP/1.1");  // repeated, too
  CHECK_EQ(p.server.first_line(6), "DELETE /files/final?uploadId=u1 HTTP/1.1");
}

void a_source_that_goes_while_it_is_copied_is_not_found_and_leaves_nothing() {
  Parts p({answer("200 OK", "", kBegun), error_answer("404 Not Found", "NoSuchKey"), answer("204 No Content", "", "")});
  CHECK_ERR(p.copy_parts(), Errc::kNotFound);
  CHECK_EQ(p.server.first_line(2), "DELETE /files/final?uploadId=u1 HTTP/1.1");
  Parts aborted({answer("200 OK", "", kBegun), error_answer("404 Not Found", "NoSuchUpload"),
                 error_answer("404 Not Found", "NoSuchUpload")});
  CHECK_ERR(aborted.copy_parts(), Errc::kStore);
}

void a_completion_that_fails_within_its_200_is_repeated() {
  Parts p({answer("200 OK", "", kBegun), copied("e1"), copied("e2"), answer("200 OK", "", error_body("InternalError")),
           answer("200 OK", "", kCompleted)});
  CHECK_OK(p.copy_parts());
  CHECK_EQ(p.server.first_line(4), "POST /files/final?uploadId=u1 HTTP/1.1");
}

void metadata_that_cannot_be_signed_is_refused_before_anything_is_sent() {
  Wire w(answer("200 OK", "", kDone));
  ObjectMeta meta = text_meta();
  meta.content_disposition = "attachment; filename=\"\xC3\xBC\"";
  CHECK_ERR(w.store->copy(key_of("a"), key_of("b"), meta), Errc::kInvalid);
  CHECK(w.server.requests().empty());
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      CASE(a_copy_names_its_source_encoded_and_sends_all_metadata_again),
      CASE(a_200_with_an_error_inside_is_a_failure_to_be_repeated),
      CASE(a_200_that_breaks_off_is_a_failure_to_be_repeated),
      CASE(a_missing_source_is_not_found),
      CASE(an_object_over_the_limit_is_copied_in_parts_with_its_metadata),
      CASE(one_of_the_limit_is_copied_at_once),
      CASE(what_the_store_calls_too_large_for_one_copy_goes_in_parts),
      CASE(a_part_that_fails_in_passing_is_copied_again_and_no_other),
      CASE(parts_that_keep_failing_end_in_an_abort_and_are_not_begun_anew),
      CASE(a_source_that_goes_while_it_is_copied_is_not_found_and_leaves_nothing),
      CASE(a_completion_that_fails_within_its_200_is_repeated),
      CASE(metadata_that_cannot_be_signed_is_refused_before_anything_is_sent),
  };
  return RUN_TESTS("contract_s3_copy_wire", tests);
}

// s3_copy_wire_test.cc — what a copy puts on the wire, and what is made of answers that no real store gives on request.
#include <memory>
#include <string>

#include "scripted_store.h"

using namespace cloakroom;         // NOLINT: a test
using namespace cloakroom::suite;  // NOLINT: a test

namespace {

const std::string kDone = "<?xml version=\"1.0\"?><CopyObjectResult><ETag>x</ETag></CopyObjectResult>";

std::string error_body(const std::string& code) {
  return "<Error><Code>" + code + "</Code></Error>";
}

struct Wire : ScriptedStore {
  explicit Wire(Reply reply) : ScriptedStore({std::move(reply)}) {}
  Status copy() { return store->copy(key_of("q/a+b c\xC3\xBC.txt"), key_of("final"), text_meta()); }
};

void a_copy_names_its_source_encoded_and_sends_all_metadata_again() {
  Wire w(answer("200 OK", "", kDone));
  CHECK_OK(w.copy());
  const std::string request = w.server.requests().at(0);
  CHECK_EQ(request.substr(0, request.find("\r\n")), "PUT /files/final HTTP/1.1");
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

void a_missing_source_is_not_found_and_a_large_one_is_too_large() {
  Wire missing(answer("404 Not Found", "", error_body("NoSuchKey")));
  CHECK_ERR(missing.copy(), Errc::kNotFound);
  Wire large(answer("400 Bad Request", "", error_body("EntityTooLarge")));
  CHECK_ERR(large.copy(), Errc::kTooLarge);
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
      CASE(a_missing_source_is_not_found_and_a_large_one_is_too_large),
      CASE(metadata_that_cannot_be_signed_is_refused_before_anything_is_sent),
  };
  return RUN_TESTS("contract_s3_copy_wire", tests);
}

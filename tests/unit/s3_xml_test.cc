// s3_xml_test.cc — error documents of several stores, hostile documents, and what each refusal is taken for.
#include "storage/s3_xml.h"

#include <string>

#include "base/limits.h"
#include "check.h"
#include "storage/s3_errors.h"

using namespace cloakroom;  // NOLINT: a test

namespace {

HttpAnswer answer_of(long status, const std::string& code, const std::string& more = "") {
  return {status, {}, "<?xml version=\"1.0\"?><Error><Code>" + code + "</Code>" + more + "</Error>"};
}

void an_aws_error_is_read() {
  const auto body = CHECK_OK(parse_s3_error(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>AuthorizationHeaderMalformed</Code><Message>the region "
      "&apos;us-east-1&apos; is wrong; expecting &lt;eu-west-1&gt;</Message><Region>eu-west-1</Region></Error>"));
  CHECK_EQ(body.code, "AuthorizationHeaderMalformed");
  CHECK_EQ(body.message, "the region 'us-east-1' is wrong; expecting <eu-west-1>");
  CHECK_EQ(body.region, "eu-west-1");
}

void a_ceph_error_without_message_is_read() {
  const auto body = CHECK_OK(
      parse_s3_error("<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>NoSuchKey</Code><BucketName>b</BucketName>"
                     "<RequestId>tx01</RequestId><HostId>a</HostId></Error>"));
  CHECK_EQ(body.code, "NoSuchKey");
  CHECK_EQ(body.message, "");
}

void leading_blanks_before_an_error_are_skipped() {  // Swift sends them to keep the connection alive
  CHECK_EQ(CHECK_OK(parse_s3_error("   \n <Error><Code>SlowDown</Code></Error>")).code, "SlowDown");
}

void what_is_not_an_error_document_is_refused() {
  for (const char* text :
       {"", "<", "<html><body>502</body></html>", "{\"Code\":\"x\"}", "<Error><Code>cut", "<Other/>"}) {
    CHECK_ERR(parse_s3_error(text), Errc::kInvalid);
  }
}

void entities_of_a_document_type_are_not_expanded() {
  const auto body = CHECK_OK(
      parse_s3_error("<!DOCTYPE Error [<!ENTITY a SYSTEM \"file:///etc/passwd\">]><Error><Code>&a;</Code></Error>"));
  CHECK_EQ(body.code, "&a;");
}

void a_document_of_the_largest_size_and_depth_is_survived() {
  std::string deep;
  while (deep.size() + 3 <= limits::kS3ErrorBodyBytes) deep += "<a>";
  CHECK_ERR(parse_s3_error(deep), Errc::kInvalid);
}

void a_missing_object_is_not_found_but_a_missing_bucket_is_a_store_error() {
  CHECK(s3_error("GET", answer_of(404, "NoSuchKey")).code == Errc::kNotFound);
  CHECK(s3_error("HEAD", HttpAnswer{404, {}, ""}).code == Errc::kNotFound);
  const Error bucket = s3_error("GET", answer_of(404, "NoSuchBucket"));
  CHECK(bucket.code == Errc::kStore);
  CHECK(!bucket.retryable);
}

void a_refusal_is_lasting_and_names_its_code() {
  const Error error = s3_error("PUT", answer_of(403, "SignatureDoesNotMatch"));
  CHECK(error.code == Errc::kStore);
  CHECK(!error.retryable);
  CHECK(!error.throttled);
  CHECK_EQ(error.detail, "store answered 403 SignatureDoesNotMatch to PUT");
  for (const long status : {301L, 400L, 405L, 409L, 412L, 416L, 501L}) {
    CHECK(!s3_error("PUT", HttpAnswer{status, {}, ""}).retryable);
  }
}

void a_passing_fault_may_be_retried() {
  for (const long status : {408L, 429L, 499L, 500L, 502L, 503L, 504L, 509L, 520L}) {
    CHECK(s3_error("GET", HttpAnswer{status, {}, "<html>"}).retryable);
  }
  CHECK(s3_error("PUT", answer_of(400, "RequestTimeout")).retryable);
  CHECK(!s3_error("GET", answer_of(500, "InternalError")).throttled);
}

void throttling_is_told_apart() {
  CHECK(s3_error("GET", answer_of(503, "SlowDown")).throttled);
  CHECK(s3_error("GET", answer_of(400, "ThrottlingException")).retryable);
  CHECK(s3_error("GET", HttpAnswer{429, {}, ""}).throttled);
  CHECK(!s3_error("GET", answer_of(503, "ServiceUnavailable")).throttled);
}

void a_pause_that_the_store_asks_for_is_read() {
  const auto asked = [](StoreHeaders headers) {
    return s3_error("PUT", HttpAnswer{503, std::move(headers), ""}).retry_after.count();
  };
  CHECK_EQ(asked({}), 0);
  CHECK_EQ(asked({{"retry-after", "3"}}), 3000);
  CHECK_EQ(asked({{"x-amz-retry-after", "1500"}, {"retry-after", "3"}}), 1500);
  CHECK_EQ(asked({{"date", "Sat, 31 Jan 2026 09:30:00 GMT"}, {"retry-after", "Sat, 31 Jan 2026 09:30:07 GMT"}}), 7000);
  CHECK_EQ(asked({{"date", "Sat, 31 Jan 2026 09:30:00 GMT"}, {"retry-after", "Sat, 31 Jan 2026 09:29:00 GMT"}}), 0);
  CHECK_EQ(asked({{"retry-after", "Sat, 31 Jan 2026 09:30:07 GMT"}}), 0);
  for (const char* odd : {"-1", "soon", "99999999999999999999999"}) CHECK_EQ(asked({{"retry-after", odd}}), 0);
  CHECK_EQ(asked({{"retry-after", "18446744073709551615"}}), 86400000);
}

void a_full_store_is_a_full_disk() {
  CHECK(s3_error("PUT", answer_of(403, "QuotaExceeded")).code == Errc::kDiskFull);
  CHECK(s3_error("PUT", HttpAnswer{507, {}, ""}).code == Errc::kDiskFull);
  CHECK(!s3_error("PUT", HttpAnswer{507, {}, ""}).retryable);
}

void a_wrong_region_is_named() {
  const Error by_body = s3_error("PUT", answer_of(400, "AuthorizationHeaderMalformed", "<Region>eu-west-1</Region>"));
  CHECK_EQ(by_body.detail,
           "store answered 400 AuthorizationHeaderMalformed to PUT: the bucket is in region 'eu-west-1'");
  const Error by_header = s3_error("HEAD", HttpAnswer{301, {{"x-amz-bucket-region", "eu-west-1"}}, ""});
  CHECK_EQ(by_header.detail, "store answered 301 to HEAD: the bucket is in region 'eu-west-1'");
}

void a_hostile_code_cannot_break_a_log_line() {
  const Error error = s3_error("PUT", answer_of(400, "Bad\nCode " + std::string(500, 'x')));
  CHECK(error.detail.find('\n') == std::string::npos);
  CHECK(error.detail.size() < 120);
}

void a_bucket_is_made_with_its_region() {
  const std::string xml = create_bucket_xml("eu-west-1");
  CHECK(xml.find("<LocationConstraint>eu-west-1</LocationConstraint>") != std::string::npos);
}

void a_result_is_one_only_with_its_root_element() {
  HttpAnswer answer{.status = 200,
                    .headers = {},
                    .body = "  <?xml version=\"1.0\"?><CopyObjectResult><ETag>x</ETag></CopyObjectResult>"};
  CHECK_OK(check_result("PUT", answer, "CopyObjectResult"));
  for (const char* body : {"", "<CopyObjectResult><ETag>", "<Error><Code>InternalError</Code></Error>", "fine"}) {
    answer.body = body;
    const auto failed = check_result("PUT", answer, "CopyObjectResult");
    CHECK(!failed && failed.error().code == Errc::kStore && failed.error().retryable);
  }
  answer.body = "<Error><Code>SlowDown</Code></Error>";
  CHECK(check_result("PUT", answer, "CopyObjectResult").error().throttled);
  answer.status = 403;
  answer.body = "<Error><Code>AccessDenied</Code></Error>";
  CHECK(!check_result("PUT", answer, "CopyObjectResult").error().retryable);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      CASE(an_aws_error_is_read),
      CASE(a_ceph_error_without_message_is_read),
      CASE(leading_blanks_before_an_error_are_skipped),
      CASE(what_is_not_an_error_document_is_refused),
      CASE(entities_of_a_document_type_are_not_expanded),
      CASE(a_document_of_the_largest_size_and_depth_is_survived),
      CASE(a_missing_object_is_not_found_but_a_missing_bucket_is_a_store_error),
      CASE(a_refusal_is_lasting_and_names_its_code),
      CASE(a_passing_fault_may_be_retried),
      CASE(throttling_is_told_apart),
      CASE(a_pause_that_the_store_asks_for_is_read),
      CASE(a_full_store_is_a_full_disk),
      CASE(a_wrong_region_is_named),
      CASE(a_hostile_code_cannot_break_a_log_line),
      CASE(a_bucket_is_made_with_its_region),
      CASE(a_result_is_one_only_with_its_root_element),
  };
  return RUN_TESTS("s3_xml", tests);
}

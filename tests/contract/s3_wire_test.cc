// s3_wire_test.cc — what S3Store puts on the wire, and what it makes of answers that no real store gives on request.
#include <chrono>
#include <memory>
#include <string>

#include "base/limits.h"
#include "scripted_store.h"

using namespace cloakroom;         // NOLINT: a test
using namespace cloakroom::suite;  // NOLINT: a test

namespace {

struct FixedClock final : Clock {
  TimePoint now() const override { return TimePoint(std::chrono::seconds(1440938160)); }  // 2015-08-30 12:36:00
};
const FixedClock kClock;

struct Wire {
  ScriptedServer server;
  std::unique_ptr<S3Store> store;
  ObjectKey key = key_of("a/b c.txt");
  StringSink sink;

  explicit Wire(std::vector<Reply> answers, const std::string& region = "")
      : server(std::move(answers)), store(CHECK_OK(S3Store::make(options(server, region), kClock))) {}

  static S3Options options(const ScriptedServer& server, const std::string& region) {
    S3Options o = wire_options(server);
    o.region = region;
    o.session_token = "token/1";
    o.ready_timeout = std::chrono::milliseconds(300);
    return o;
  }

  bool request_has(std::size_t number, const std::string& line) {
    return server.requests().at(number).find(line) != std::string::npos;
  }
};

void a_put_sends_exactly_what_was_signed() {
  Wire w({answer("200 OK", "", "")});
  const TempFile file("0123456789");
  CHECK_OK(w.store->put(w.key, file.part(2, 5), text_meta()));
  const std::string request = w.server.requests().at(0);
  CHECK_EQ(request.substr(0, request.find("\r\n")), "PUT /files/a/b%20c.txt HTTP/1.1");
  CHECK(w.request_has(0, "\r\nContent-Length: 5\r\n"));
  CHECK(w.request_has(0, "\r\nx-amz-content-sha256: " + hex_encode(sha256("23456")) + "\r\n"));
  CHECK(w.request_has(0, "\r\nx-amz-date: 20150830T123600Z\r\n"));
  CHECK(w.request_has(0, "\r\nx-amz-security-token: token/1\r\n"));
  CHECK(w.request_has(0, "\r\nx-amz-meta-attachment-id: 0198c0de\r\n"));
  CHECK(w.request_has(
      0,
      "Credential=AKID/20150830/us-east-1/s3/aws4_request, SignedHeaders=cache-control;content-disposition;"
      "content-type;host;x-amz-content-sha256;x-amz-date;x-amz-meta-attachment-id;x-amz-security-token, "));
  CHECK_EQ(request.substr(request.find("\r\n\r\n") + 4), "23456");
  for (const char* never : {"Expect:", "Transfer-Encoding:", "Accept-Encoding:", "x-amz-checksum", "aws-chunked"}) {
    CHECK(!w.request_has(0, never));
  }
}

void an_empty_put_has_a_length() {
  Wire w({answer("200 OK", "", "")});
  const TempFile file("");
  CHECK_OK(w.store->put(w.key, file.whole(), {}));
  CHECK(w.request_has(0, "\r\nContent-Length: 0\r\n"));
  CHECK(w.request_has(0, "\r\nContent-Type: application/octet-stream\r\n"));
}

void a_header_that_could_end_early_is_not_sent() {
  Wire w({});
  const TempFile file("x");
  CHECK_ERR(w.store->put(w.key, file.whole(), {"text/plain\r\nx-evil: 1", "", "", ""}), Errc::kInvalid);
  CHECK_ERR(w.store->presign(w.key, {.expires = std::chrono::seconds(1), .content_type = "a\nb"}), Errc::kInvalid);
  CHECK(w.server.requests().empty());
}

void a_broken_body_is_resumed_where_it_broke() {
  Wire w({broken("206 Partial Content", "ETag: \"e1\"\r\nContent-Range: bytes 10-19/100\r\n", 10, "abcd"),
          answer("206 Partial Content", "ETag: \"e1\"\r\nContent-Range: bytes 14-19/100\r\n", "efghij")});
  CHECK_OK(w.store->get(w.key, {10, 10}, w.sink));
  CHECK_EQ(w.sink.text, "abcdefghij");
  CHECK(w.request_has(0, "\r\nRange: bytes=10-19\r\n"));
  CHECK(!w.request_has(0, "If-Match"));
  CHECK(w.request_has(1, "\r\nRange: bytes=14-19\r\n"));
  CHECK(w.request_has(1, "\r\nIf-Match: \"e1\"\r\n"));
}

void an_object_that_changed_is_not_mixed_in() {
  Wire w({broken("206 Partial Content", "ETag: \"e1\"\r\nContent-Range: bytes 0-9/10\r\n", 10, "abcd"),
          error_answer("412 Precondition Failed", "PreconditionFailed")});
  const Status status = w.store->get(w.key, {0, 10}, w.sink);
  CHECK(!status);
  CHECK_EQ(status.error().detail, "store answered 412 PreconditionFailed to GET");
  CHECK_EQ(w.sink.text, "abcd");
}

void a_body_that_breaks_again_and_again_is_given_up() {
  const std::string head = "ETag: \"e1\"\r\nContent-Range: bytes ";
  Wire w({broken("206 Partial Content", head + "0-9/10\r\n", 10, "a"),
          broken("206 Partial Content", head + "1-9/10\r\n", 9, "b"),
          broken("206 Partial Content", head + "2-9/10\r\n", 8, "c"),
          answer("206 Partial Content", head + "3-9/10\r\n", "defghij")});
  CHECK_ERR(w.store->get(w.key, {0, 10}, w.sink), Errc::kStore);
  CHECK_EQ(w.server.requests().size(), 3U);
}

void a_whole_object_may_be_answered_with_200() {
  Wire w({answer("200 OK", "", "0123456789")});
  CHECK_OK(w.store->get(w.key, {0, 10}, w.sink));
  CHECK_EQ(w.sink.text, "0123456789");
}

void an_answer_with_another_range_gives_the_sink_nothing() {
  const std::string ten = "0123456789";
  for (const std::string& wrong :
       {answer("200 OK", "", ten), answer("206 Partial Content", "Content-Range: bytes 2-11/20\r\n", ten),
        answer("206 Partial Content", "Content-Range: bytes 1-100/200\r\n", ten),
        answer("206 Partial Content", "", ten)}) {
    Wire w({wrong});
    CHECK_ERR(w.store->get(w.key, {1, 10}, w.sink), Errc::kStore);
    CHECK_EQ(w.sink.text, "");
  }
  // Cut short, so that only the look at the head keeps the first bytes from the sink.
  for (const std::string& wrong : {broken("200 OK", "", 11, "01234"), broken("200 OK", "", 30, "01234")}) {
    Wire w({wrong});
    CHECK_ERR(w.store->get(w.key, {1, 10}, w.sink), Errc::kStore);
    CHECK_EQ(w.sink.text, "");
  }
  Wire longer({broken("200 OK", "", 10, "012")});
  CHECK_ERR(longer.store->get(longer.key, {0, 5}, longer.sink), Errc::kStore);
  CHECK_EQ(longer.sink.text, "");
}

void an_empty_answer_to_a_range_is_a_lasting_fault() {
  Wire w({answer("200 OK", "", "")});
  const Status status = w.store->get(w.key, {0, 10}, w.sink);
  CHECK(!status);
  CHECK(!status.error().retryable);
}

void an_upload_begins_anew_when_the_kept_connection_is_dead() {
  Wire w({{answer("200 OK", "", ""), true}, "", answer("200 OK", "", "")});
  const std::string bytes = pattern(50000);
  const TempFile file(bytes);
  CHECK_OK(w.store->put(w.key, file.whole(), {}));
  CHECK_OK(w.store->put(w.key, file.whole(), {}));  // libcurl itself repeats it: no byte of an answer came
  CHECK_EQ(w.server.requests().size(), 3U);
  const std::string last = w.server.requests().at(2);
  check_bytes(last.substr(last.find("\r\n\r\n") + 4), bytes);
}

void an_error_page_never_reaches_the_sink() {
  Wire w({error_answer("404 Not Found", "NoSuchKey")});
  CHECK_ERR(w.store->get(w.key, {0, 10}, w.sink), Errc::kNotFound);
  CHECK_EQ(w.sink.text, "");
}

void a_redirect_is_not_followed() {
  ScriptedServer elsewhere({answer("200 OK", "", "0123456789")});
  Wire w({answer("307 Temporary Redirect", "Location: " + elsewhere.endpoint() + "/files/a\r\n", "")});
  CHECK_ERR(w.store->get(w.key, {0, 10}, w.sink), Errc::kStore);
  CHECK(elsewhere.requests().empty());
}

void a_flood_of_headers_is_cut_off() {
  std::string headers;
  while (headers.size() <= limits::kS3HeaderBytes) headers += "X-Flood: " + std::string(1000, 'x') + "\r\n";
  Wire w({answer("200 OK", headers, "")});
  CHECK_ERR(w.store->head(w.key), Errc::kStore);
}

void a_huge_error_page_is_read_up_to_its_maximum() {
  Wire w({answer("500 Internal Server Error", "",
                 "<Error><Code>InternalError</Code></Error>" + std::string(8U << 20, ' '))});
  const Status status = w.store->remove(w.key);
  CHECK(!status);
  CHECK(status.error().retryable);
  CHECK_EQ(status.error().detail, "store answered 500 InternalError to DELETE");
  const std::string late(limits::kS3ErrorBodyBytes, ' ');
  Wire cut({answer("500 Internal Server Error", "", "<Error>" + late + "<Code>InternalError</Code></Error>")});
  CHECK_EQ(cut.store->remove(cut.key).error().detail, "store answered 500 to DELETE");
}

void a_connection_without_an_answer_is_a_passing_fault() {
  Wire w({""});
  const auto info = w.store->head(w.key);
  CHECK(!info);
  CHECK_EQ(info.error().code, Errc::kStore);
  CHECK(info.error().retryable);
  CHECK(info.error().detail.find("b%20c") == std::string::npos);  // keys stay out of the log
}

void a_silent_store_is_not_ready_soon() {
  Wire w({});  // accepts in the kernel's backlog and never answers
  const auto begun = std::chrono::steady_clock::now();
  const Status status = w.store->ready();
  CHECK(!status);
  CHECK(status.error().retryable);
  CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds(2));
}

void a_failed_delete_of_an_absent_object_is_a_success_but_of_an_absent_bucket_is_not() {
  Wire w({error_answer("404 Not Found", "NoSuchKey"), error_answer("404 Not Found", "NoSuchBucket")});
  CHECK_OK(w.store->remove(w.key));
  CHECK_ERR(w.store->remove(w.key), Errc::kStore);
}

void a_bucket_is_made_with_the_region_and_once_more_without_it() {
  Wire w({answer("404 Not Found", "", ""), error_answer("400 Bad Request", "InvalidLocationConstraint"),
          answer("200 OK", "", ""), answer("200 OK", "", "")},
         "eu-west-1");
  CHECK_OK(w.store->prepare());
  CHECK_EQ(w.server.requests().at(0).substr(0, 12), "HEAD /files ");
  CHECK_EQ(w.server.requests().at(1).substr(0, 11), "PUT /files ");
  CHECK(w.request_has(1, "<LocationConstraint>eu-west-1</LocationConstraint>"));
  CHECK_EQ(w.server.requests().at(2).substr(0, 11), "PUT /files ");
  CHECK(w.request_has(2, "\r\nContent-Length: 0\r\n"));
  CHECK_EQ(w.server.requests().at(3).substr(0, 12), "HEAD /files ");
}

void a_bucket_in_the_default_region_is_made_without_a_body() {
  for (const char* region : {"", "us-east-1"}) {
    Wire w({answer("404 Not Found", "", ""), answer("200 OK", "", ""), answer("200 OK", "", "")}, region);
    CHECK_OK(w.store->prepare());
    CHECK(w.request_has(1, "\r\nContent-Length: 0\r\n"));
  }
}

void a_bucket_that_another_made_meanwhile_is_looked_at_again() {
  Wire ours({answer("404 Not Found", "", ""), error_answer("409 Conflict", "BucketAlreadyOwnedByYou"),
             answer("200 OK", "", "")});
  CHECK_OK(ours.store->prepare());
  Wire theirs({answer("404 Not Found", "", ""), error_answer("409 Conflict", "BucketAlreadyExists"),
               answer("403 Forbidden", "", "")});
  CHECK_ERR(theirs.store->prepare(), Errc::kStore);
  Wire forbidden({answer("404 Not Found", "", ""), error_answer("403 Forbidden", "AccessDenied")});
  const Status status = forbidden.store->prepare();
  CHECK(!status);
  CHECK_EQ(status.error().detail, "store answered 403 AccessDenied to PUT");
  Wire denied({answer("403 Forbidden", "", ""), answer("200 OK", "", "")});
  CHECK_ERR(denied.store->prepare(), Errc::kStore);
  CHECK_EQ(denied.server.requests().size(), 1U);
}

void a_url_for_a_browser_names_the_public_endpoint_and_is_signed_for_it() {
  S3Options options;
  options.endpoint = "http://10.0.0.7:9000";
  options.public_endpoint = "https://files.example.org";
  options.bucket = "files";
  options.access_key_id = "AKID";
  options.secret_access_key = "secret";
  const auto store = CHECK_OK(S3Store::make(options, kClock));
  PresignRequest request{.expires = std::chrono::seconds(60)};
  const std::string inside = CHECK_OK(store->presign(key_of("k"), request));
  request.for_browser = true;
  const std::string outside = CHECK_OK(store->presign(key_of("k"), request));
  CHECK_EQ(inside.substr(0, 29), "http://10.0.0.7:9000/files/k?");
  CHECK_EQ(outside.substr(0, 34), "https://files.example.org/files/k?");
  CHECK(inside.substr(inside.size() - 64) != outside.substr(outside.size() - 64));
  CHECK_EQ(store->host(), "10.0.0.7:9000");
  request.method = "DELETE";
  CHECK_ERR(store->presign(key_of("k"), request), Errc::kInvalid);
}

void options_that_cannot_work_are_refused_at_once() {
  S3Options options;
  options.bucket = "files";
  CHECK_ERR(S3Store::make(options, kClock), Errc::kInvalid);
  options.access_key_id = "AKID";
  options.secret_access_key = "secret";
  CHECK_OK(S3Store::make(options, kClock));
  options.public_endpoint = "files.example.org";
  CHECK_ERR(S3Store::make(options, kClock), Errc::kInvalid);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      CASE(a_put_sends_exactly_what_was_signed),
      CASE(an_empty_put_has_a_length),
      CASE(a_header_that_could_end_early_is_not_sent),
      CASE(a_broken_body_is_resumed_where_it_broke),
      CASE(an_object_that_changed_is_not_mixed_in),
      CASE(a_body_that_breaks_again_and_again_is_given_up),
      CASE(a_whole_object_may_be_answered_with_200),
      CASE(an_answer_with_another_range_gives_the_sink_nothing),
      CASE(an_empty_answer_to_a_range_is_a_lasting_fault),
      CASE(an_upload_begins_anew_when_the_kept_connection_is_dead),
      CASE(an_error_page_never_reaches_the_sink),
      CASE(a_redirect_is_not_followed),
      CASE(a_flood_of_headers_is_cut_off),
      CASE(a_huge_error_page_is_read_up_to_its_maximum),
      CASE(a_connection_without_an_answer_is_a_passing_fault),
      CASE(a_silent_store_is_not_ready_soon),
      CASE(a_failed_delete_of_an_absent_object_is_a_success_but_of_an_absent_bucket_is_not),
      CASE(a_bucket_is_made_with_the_region_and_once_more_without_it),
      CASE(a_bucket_in_the_default_region_is_made_without_a_body),
      CASE(a_bucket_that_another_made_meanwhile_is_looked_at_again),
      CASE(a_url_for_a_browser_names_the_public_endpoint_and_is_signed_for_it),
      CASE(options_that_cannot_work_are_refused_at_once),
  };
  return RUN_TESTS("s3_wire", tests);
}

// s3_faults_test.cc — a faulty store: each fault with its outcome and the number of requests it costs.
//
// Others   region, clock and redirects: s3_learn_test; listings and removals: s3_bucket_wire_test; ranges:
// s3_wire_test.
#include <chrono>
#include <string>

#include "base/limits.h"
#include "scripted_store.h"

using namespace cloakroom;         // NOLINT: a test
using namespace cloakroom::suite;  // NOLINT: a test
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

const std::string kOk = answer("200 OK", "", "");
const std::string kSlowDown = error_answer("503 Slow Down", "SlowDown");
const std::string kInternal = error_answer("500 Internal Server Error", "InternalError");

std::string part(const std::string& range, const std::string& bytes, const std::string& etag = "\"e1\"") {
  return answer("206 Partial Content", "ETag: " + etag + "\r\nContent-Range: bytes " + range + "\r\n", bytes);
}
std::string cut_part(const std::string& range, std::size_t length, const std::string& bytes) {
  return broken("206 Partial Content", "ETag: \"e1\"\r\nContent-Range: bytes " + range + "\r\n", length, bytes);
}

seconds since(std::chrono::steady_clock::time_point begun) {
  return std::chrono::duration_cast<seconds>(std::chrono::steady_clock::now() - begun);
}

void a_throttled_upload_is_repeated_whole_after_long_pauses() {
  ScriptedStore s({kSlowDown, kSlowDown, kOk});
  const std::string bytes = pattern(70000);
  const TempFile file(bytes);
  CHECK_OK(s.retrying->put(s.key, file.whole(), {}));
  CHECK_EQ(s.attempts(), 3U);
  CHECK((s.pauses == std::vector<milliseconds>{milliseconds(1000), milliseconds(2000)}));
  check_bytes(s.body(2), bytes);
}

void each_attempt_is_signed_anew() {
  struct Ticking final : Clock {
    mutable TimePoint time = *parse_http_date("Sat, 31 Jan 2026 09:30:00 GMT");
    TimePoint now() const override { return time += seconds(1); }
  } clock;
  ScriptedServer server({kInternal, kOk});
  S3Options options;
  options.endpoint = server.endpoint();
  options.bucket = "files";
  options.access_key_id = "AKID";
  options.secret_access_key = "secret";
  const auto store = CHECK_OK(S3Store::make(options, clock));
  RetryingStore retrying(*store, RetryPolicy{}, {[](milliseconds) {}, [] { return 0.0; }});
  CHECK_OK(retrying.remove(key_of("k")));
  CHECK(server.request_has(0, "\r\nx-amz-date: 20260131T093001Z\r\n"));
  CHECK(server.request_has(1, "\r\nx-amz-date: 20260131T0930"));
  CHECK(!server.request_has(1, "\r\nx-amz-date: 20260131T093001Z\r\n"));
}

void a_pause_that_the_store_asks_for_is_kept() {
  ScriptedStore s({error_answer("503 Service Unavailable", "ServiceUnavailable", "Retry-After: 2\r\n"), kOk});
  CHECK_OK(s.retrying->remove(s.key));
  CHECK((s.pauses == std::vector<milliseconds>{milliseconds(2000)}));
}

void three_faults_are_enough() {
  for (const std::string& fault :
       {kInternal, kSlowDown, answer("502 Bad Gateway", "", "<html>"), answer("504 Gateway Timeout", "", ""),
        error_answer("400 Bad Request", "RequestTimeout"),
        std::string("HTTP/1.1 503 x\r\nContent-Length: 9\r\n\r\n<Err"), std::string()}) {
    ScriptedStore s({fault, fault, fault, kOk});
    CHECK_ERR(s.retrying->remove(s.key), Errc::kStore);
    CHECK_EQ(s.attempts(), 3U);
  }
}

void a_lasting_refusal_is_asked_for_once() {
  for (const std::string& fault :
       {error_answer("403 Forbidden", "AccessDenied"), error_answer("400 Bad Request", "InvalidRequest"),
        error_answer("501 Not Implemented", "NotImplemented"), answer("400 Bad Request", "", "<Error><Code>Requ")}) {
    ScriptedStore s({fault, kOk});
    const TempFile file("x");
    CHECK_ERR(s.retrying->put(s.key, file.whole(), {}), Errc::kStore);
    CHECK_EQ(s.attempts(), 1U);
  }
}

void a_success_with_an_error_inside_is_repeated() {
  const std::string inside = answer("200 OK", "", "<Error><Code>InternalError</Code></Error>");
  ScriptedStore s({inside, kOk, inside, inside, inside});
  const TempFile file("x");
  CHECK_OK(s.retrying->put(s.key, file.whole(), {}));
  CHECK_EQ(s.attempts(), 2U);
  const Status removed = s.retrying->remove(s.key);
  CHECK(!removed);
  CHECK_EQ(removed.error().detail, "store answered 200 to DELETE with the error InternalError");
  CHECK_EQ(s.attempts(), 5U);
}

void an_upload_without_an_answer_is_rewound() {
  ScriptedStore s({"", kOk});
  const std::string bytes = pattern(300000);
  const TempFile file(bytes);
  CHECK_OK(s.retrying->put(s.key, file.part(1000, 200000), {}));
  CHECK_EQ(s.attempts(), 2U);
  check_bytes(s.body(1), bytes.substr(1000, 200000));
}

void an_upload_cut_off_in_the_middle_is_rewound() {
  Reply cut("");
  cut.read_at_most = 50000;
  ScriptedStore s({cut, kOk});
  const std::string bytes = pattern(300000);
  const TempFile file(bytes);
  CHECK_OK(s.retrying->put(s.key, file.whole(), {}));
  CHECK_EQ(s.attempts(), 2U);
  check_bytes(s.body(1), bytes);
}

void a_kept_connection_that_is_dead_costs_no_pause() {
  ScriptedStore s({Reply(kOk, true), "", kOk});
  CHECK_OK(s.retrying->remove(s.key));
  CHECK_OK(s.retrying->remove(s.key));
  CHECK(s.pauses.empty());  // libcurl notices that no byte came back, and makes another
  CHECK_EQ(s.server.connections(), 2U);
  CHECK_EQ(s.attempts(), 3U);
}

void a_body_cut_off_is_resumed_and_in_the_end_given_up() {
  ScriptedStore s({cut_part("0-9/10", 10, "abc"), part("3-9/10", "defghij")});
  CHECK_OK(s.retrying->get(s.key, {0, 10}, s.sink));
  CHECK_EQ(s.sink.text, "abcdefghij");
  CHECK(s.server.request_has(1, "\r\nRange: bytes=3-9\r\n"));
  CHECK(s.server.request_has(1, "\r\nIf-Match: \"e1\"\r\n"));
  ScriptedStore lost(
      {cut_part("0-9/10", 10, "a"), cut_part("1-9/10", 9, "b"), cut_part("2-9/10", 8, "c"), part("3-9/10", "defghij")});
  CHECK_ERR(lost.retrying->get(lost.key, {0, 10}, lost.sink), Errc::kStore);
  CHECK_EQ(lost.attempts(), 3U);
}

void a_resumed_body_of_another_object_is_refused() {
  for (const std::string& other : {part("3-9/10", "DEFGHIJ", "\"e2\""), answer("412 Precondition Failed", "", ""),
                                   answer("200 OK", "ETag: \"e2\"\r\n", "ABCDEFGHIJ")}) {
    ScriptedStore s({cut_part("0-9/10", 10, "abc"), other, part("3-9/10", "defghij")});
    const Status status = s.retrying->get(s.key, {0, 10}, s.sink);
    CHECK(!status && !status.error().retryable);
    CHECK_EQ(s.sink.text, "abc");
    CHECK_EQ(s.attempts(), 2U);
  }
}

// What was asked for, at 500 B/s.
Reply trickle() {
  Reply reply("");
  reply.pause_after_byte = milliseconds(2);
  reply.make = [](const std::string& request) {
    const std::size_t first = std::strtoul(request.c_str() + request.find("Range: bytes=") + 13, nullptr, 10);
    return part(std::to_string(first) + "-4999/5000", std::string(5000 - first, 'x'));
  };
  return reply;
}

void a_trickling_body_is_resumed_twice_and_given_up() {
  const auto begun = std::chrono::steady_clock::now();
  ScriptedStore s({trickle(), trickle(), trickle(), trickle()});
  CHECK_ERR(s.retrying->get(s.key, {0, 5000}, s.sink), Errc::kStore);
  CHECK_EQ(s.attempts(), 3U);
  CHECK(!s.sink.text.empty() && s.sink.text.size() < 5000);
  CHECK(since(begun) < seconds(12));
  CHECK(s.pauses.empty());  // bytes were sent: nobody may begin anew
}

void a_trickling_head_is_given_up() {
  Reply trickle(answer("200 OK", "X-Long: " + std::string(60000, 'x') + "\r\n", ""));
  trickle.pause_after_byte = milliseconds(10);
  const auto begun = std::chrono::steady_clock::now();
  ScriptedStore s({trickle});
  const auto info = s.store->head(s.key);
  CHECK(!info && info.error().retryable);
  CHECK_EQ(s.attempts(), 1U);
  CHECK(since(begun) < seconds(8));
}

void an_upload_that_nobody_takes_is_given_up() {
  Reply deaf("");
  deaf.read_at_most = 1000;
  deaf.hold = true;
  const auto begun = std::chrono::steady_clock::now();
  ScriptedStore s({deaf});
  const TempFile file(std::string(24U << 20, 'x'));  // more than the kernel's buffers
  const auto put = s.store->put(s.key, file.whole(), {});
  CHECK(!put && put.error().retryable);
  CHECK(since(begun) < seconds(25));  // libcurl takes the mean of 5 s, and the first second was fast
}

void an_endless_error_page_is_not_read_on() {
  std::string page = "HTTP/1.1 500 Internal Server Error\r\n\r\n<Error><Code>InternalError</Code></Error>";
  page += std::string(2 * limits::kS3ErrorBodyBytes, ' ');
  Reply endless(page);
  endless.hold = true;  // no length, no end
  const auto begun = std::chrono::steady_clock::now();
  ScriptedStore s({endless});
  const Status status = s.store->get(s.key, {0, 10}, s.sink);
  CHECK(!status);
  CHECK_EQ(status.error().detail, "store answered 500 InternalError to GET");
  CHECK(since(begun) < seconds(2));
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      CASE(a_throttled_upload_is_repeated_whole_after_long_pauses),
      CASE(each_attempt_is_signed_anew),
      CASE(a_pause_that_the_store_asks_for_is_kept),
      CASE(three_faults_are_enough),
      CASE(a_lasting_refusal_is_asked_for_once),
      CASE(a_success_with_an_error_inside_is_repeated),
      CASE(an_upload_without_an_answer_is_rewound),
      CASE(an_upload_cut_off_in_the_middle_is_rewound),
      CASE(a_kept_connection_that_is_dead_costs_no_pause),
      CASE(a_body_cut_off_is_resumed_and_in_the_end_given_up),
      CASE(a_resumed_body_of_another_object_is_refused),
      CASE(a_trickling_body_is_resumed_twice_and_given_up),
      CASE(a_trickling_head_is_given_up),
      CASE(an_upload_that_nobody_takes_is_given_up),
      CASE(an_endless_error_page_is_not_read_on),
  };
  return RUN_TESTS("s3_faults", tests);
}

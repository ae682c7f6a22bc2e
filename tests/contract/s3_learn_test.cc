// s3_learn_test.cc — what S3Client learns from refusals of a scripted store: region and time, once, and nothing else.
#include <chrono>
#include <memory>
#include <string>

#include "scripted_store.h"

using namespace cloakroom;         // NOLINT: a test
using namespace cloakroom::suite;  // NOLINT: a test

namespace {

struct Wire : ScriptedStore {
  using ScriptedStore::ScriptedStore;
  std::string presigned() { return CHECK_OK(store->presign(key, {.expires = std::chrono::seconds(60)})); }
  bool signed_for(std::size_t number, const std::string& region) {
    return server.request_has(number, "/" + region + "/s3/aws4_request");
  }
  bool signed_at(std::size_t number, const std::string& time) {
    return server.request_has(number, "\r\nx-amz-date: " + time + "\r\n");
  }
};

const std::string kOk = answer("200 OK", "", "");
const std::string kWhole = answer("200 OK", "", "0123456789");

std::string malformed(const std::string& region) {
  return error_answer("400 Bad Request", "AuthorizationHeaderMalformed", "", "<Region>" + region + "</Region>");
}
std::string skewed(const std::string& date) {
  return error_answer("403 Forbidden", "RequestTimeTooSkewed", "Date: " + date + "\r\n");
}

void a_region_is_corrected_once_and_remembered() {
  Wire w({malformed("eu-west-1"), kOk, kOk});
  const std::string bytes = pattern(100000);
  const TempFile file(bytes);
  CHECK_OK(w.store->put(w.key, file.whole(), {}));
  CHECK(w.signed_for(0, "us-east-1"));
  CHECK(w.signed_for(1, "eu-west-1"));
  const std::string again = w.server.request(1);
  check_bytes(again.substr(again.find("\r\n\r\n") + 4), bytes);  // the whole body, from its beginning
  CHECK_OK(w.store->remove(w.key));
  CHECK(w.signed_for(2, "eu-west-1"));
  CHECK_EQ(w.server.requests().size(), 3U);
  CHECK(w.presigned().find("%2Feu-west-1%2Fs3%2Faws4_request") != std::string::npos);
}

void a_redirect_tells_a_region_and_leads_nowhere_else() {
  ScriptedServer elsewhere({kWhole});
  const std::string location = "Location: " + elsewhere.endpoint() + "/files/k\r\n";
  const std::string body = "<Endpoint>" + elsewhere.endpoint().substr(7) + "</Endpoint>";
  Wire w({error_answer("301 Moved Permanently", "PermanentRedirect", location + "x-amz-bucket-region: eu-west-1\r\n",
                       body),
          kWhole});
  CHECK_OK(w.store->get(w.key, {0, 10}, w.sink));
  CHECK_EQ(w.sink.text, "0123456789");
  CHECK(w.signed_for(1, "eu-west-1"));
  CHECK_EQ(w.server.requests().size(), 2U);
  for (const char* status :
       {"301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"}) {
    Wire lost({answer(status, location, ""), answer(status, location, "")});
    CHECK_ERR(lost.store->get(lost.key, {0, 10}, lost.sink), Errc::kStore);
    CHECK_EQ(lost.sink.text, "");
    CHECK_EQ(lost.server.requests().size(), 1U);
  }
  CHECK_EQ(elsewhere.connections(), 0U);
}

void a_head_of_the_bucket_tells_by_header() {
  for (const char* status : {"301 Moved Permanently", "400 Bad Request", "403 Forbidden"}) {
    Wire w({answer(status, "x-amz-bucket-region: eu-west-1\r\n", ""), kOk});
    CHECK_OK(w.store->ready());
    CHECK(w.signed_for(1, "eu-west-1"));
    CHECK_EQ(w.server.requests().size(), 2U);
  }
}

void a_region_that_is_not_told_is_asked_for_once() {
  Wire w({error_answer("301 Moved Permanently", "PermanentRedirect"),
          answer("403 Forbidden", "x-amz-bucket-region: eu-west-1\r\n", ""), kOk});
  CHECK_OK(w.store->remove(w.key));
  CHECK_EQ(w.server.first_line(1), "HEAD /files HTTP/1.1");
  CHECK(w.signed_for(2, "eu-west-1"));
  Wire silent({error_answer("301 Moved Permanently", "PermanentRedirect"), answer("403 Forbidden", "", "")});
  CHECK_ERR(silent.store->remove(silent.key), Errc::kStore);
  CHECK_EQ(silent.server.requests().size(), 2U);
}

void a_store_that_keeps_sending_us_away_is_not_followed_twice() {
  Wire w({malformed("eu-west-1"), malformed("eu-west-2"), malformed("eu-west-3")});
  CHECK_ERR(w.store->remove(w.key), Errc::kStore);
  CHECK_EQ(w.server.requests().size(), 2U);
  CHECK_ERR(w.store->remove(w.key), Errc::kStore);
  CHECK(w.signed_for(2, "us-east-1"));  // what did not help is not kept
  CHECK_EQ(w.server.requests().size(), 3U);
}

void what_is_no_region_is_not_used() {
  Wire w({malformed("evil.example.org/x")});
  CHECK_ERR(w.store->remove(w.key), Errc::kStore);
  CHECK_EQ(w.server.requests().size(), 1U);
}

void a_wrong_clock_is_corrected_by_the_stores_and_stays_so() {
  Wire w({skewed("Sun, 01 Feb 2026 10:00:00 GMT"), kOk, kOk});
  CHECK_OK(w.store->remove(w.key));
  CHECK(w.signed_at(0, "20260131T093000Z"));
  CHECK(w.signed_at(1, "20260201T100000Z"));
  w.clock.time += std::chrono::seconds(5);
  CHECK_OK(w.store->remove(w.key));
  CHECK(w.signed_at(2, "20260201T100005Z"));
  CHECK_EQ(w.server.requests().size(), 3U);
  CHECK(w.presigned().find("X-Amz-Date=20260201T100005Z") != std::string::npos);
}

void a_clock_that_was_set_right_meanwhile_is_learnt_again() {
  Wire w({skewed("Sun, 01 Feb 2026 10:00:00 GMT"), kOk, skewed("Sun, 01 Feb 2026 10:00:10 GMT"), kOk});
  CHECK_OK(w.store->remove(w.key));
  w.clock.time = *parse_http_date("Sun, 01 Feb 2026 10:00:10 GMT");
  CHECK_OK(w.store->remove(w.key));
  CHECK(w.signed_at(3, "20260201T100010Z"));
}

void a_head_is_refused_without_words_and_signed_again() {
  Wire w({answer("403 Forbidden", "Date: Sun, 01 Feb 2026 10:00:00 GMT\r\n", ""), answer("200 OK", "", "")});
  CHECK_OK(w.store->ready());
  CHECK(w.signed_at(1, "20260201T100000Z"));
}

void a_plausible_clock_is_never_moved() {
  Wire w({answer("403 Forbidden", "Date: Sat, 31 Jan 2026 09:44:00 GMT\r\n", "")});
  CHECK_ERR(w.store->ready(), Errc::kStore);
  CHECK_EQ(w.server.requests().size(), 1U);
}

void a_date_that_did_not_help_is_forgotten() {
  const std::string date = "Date: Sun, 01 Feb 2026 10:00:00 GMT\r\n";
  Wire w({answer("403 Forbidden", date, ""), answer("403 Forbidden", date, ""), kOk,
          skewed("Sun, 01 Feb 2026 10:00:00 GMT"), skewed("Mon, 02 Feb 2026 10:00:00 GMT"), kOk});
  CHECK_ERR(w.store->ready(), Errc::kStore);
  CHECK_EQ(w.server.requests().size(), 2U);
  CHECK_OK(w.store->remove(w.key));
  CHECK(w.signed_at(2, "20260131T093000Z"));
  CHECK_ERR(w.store->remove(w.key), Errc::kStore);  // skewed again after the correction: once is enough
  CHECK_EQ(w.server.requests().size(), 5U);
  CHECK_OK(w.store->remove(w.key));
  CHECK(w.signed_at(5, "20260131T093000Z"));
}

void a_date_that_led_to_no_answer_is_forgotten() {
  Wire w({answer("403 Forbidden", "Date: Sun, 01 Feb 2026 10:00:00 GMT\r\n", ""), "", kOk});
  CHECK_ERR(w.store->ready(), Errc::kStore);
  CHECK_OK(w.store->remove(w.key));
  CHECK(w.signed_at(1, "20260201T100000Z"));
  CHECK(w.signed_at(2, "20260131T093000Z"));
}

void clock_and_region_may_both_be_wrong() {
  Wire w({skewed("Sun, 01 Feb 2026 10:00:00 GMT"), malformed("eu-west-1"), kOk});
  CHECK_OK(w.store->remove(w.key));
  CHECK(w.signed_at(2, "20260201T100000Z"));
  CHECK(w.signed_for(2, "eu-west-1"));
}

void a_request_that_timed_out_is_repeated_on_a_new_connection() {
  Wire w({Reply(kOk, true), Reply(error_answer("400 Bad Request", "RequestTimeout"), true), Reply(kOk, true), kOk});
  CHECK_OK(w.store->remove(w.key));
  const Status timed_out = w.store->remove(w.key);
  CHECK(!timed_out && timed_out.error().retryable);
  CHECK_EQ(w.server.connections(), 1U);
  CHECK_OK(w.store->remove(w.key));
  CHECK_EQ(w.server.connections(), 2U);
  CHECK_OK(w.store->remove(w.key));
  CHECK_EQ(w.server.connections(), 2U);
  CHECK_EQ(w.server.requests().size(), 4U);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      CASE(a_region_is_corrected_once_and_remembered),
      CASE(a_redirect_tells_a_region_and_leads_nowhere_else),
      CASE(a_head_of_the_bucket_tells_by_header),
      CASE(a_region_that_is_not_told_is_asked_for_once),
      CASE(a_store_that_keeps_sending_us_away_is_not_followed_twice),
      CASE(what_is_no_region_is_not_used),
      CASE(a_wrong_clock_is_corrected_by_the_stores_and_stays_so),
      CASE(a_clock_that_was_set_right_meanwhile_is_learnt_again),
      CASE(a_head_is_refused_without_words_and_signed_again),
      CASE(a_plausible_clock_is_never_moved),
      CASE(a_date_that_did_not_help_is_forgotten),
      CASE(a_date_that_led_to_no_answer_is_forgotten),
      CASE(clock_and_region_may_both_be_wrong),
      CASE(a_request_that_timed_out_is_repeated_on_a_new_connection),
  };
  return RUN_TESTS("s3_learn", tests);
}

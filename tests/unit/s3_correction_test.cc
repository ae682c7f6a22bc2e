// s3_correction_test.cc — what is learnt from a refusal, and what is not.
#include "storage/s3_correction.h"

#include "check.h"

using namespace cloakroom;  // NOLINT: a test
using std::chrono::seconds;

namespace {

const TimePoint kNow = *parse_http_date("Sat, 31 Jan 2026 09:30:00 GMT");

HttpAnswer refusal(long status, const std::string& code, const std::string& region = "", StoreHeaders headers = {}) {
  return {status, std::move(headers),
          "<Error><Code>" + code + "</Code><Endpoint>evil.example.org</Endpoint>" +
              (region.empty() ? "" : "<Region>" + region + "</Region>") + "</Error>"};
}

StoreHeaders in_region(const std::string& name) {
  return {{"location", "http://evil.example.org/"}, {"x-amz-bucket-region", name}};
}

StoreHeaders dated(seconds ahead) {
  return {{"date", http_date(kNow + ahead)}};
}

std::string learnt(std::string_view method, const HttpAnswer& answer) {
  const auto lesson = region_lesson(method, answer, "us-east-1");
  return lesson ? lesson->region : "nothing";
}

void a_region_is_learnt_from_body_or_header() {
  CHECK_EQ(learnt("GET", refusal(400, "AuthorizationHeaderMalformed", "eu-west-1")), "eu-west-1");
  CHECK_EQ(learnt("PUT", refusal(301, "PermanentRedirect", "", in_region("eu-west-1"))), "eu-west-1");
  CHECK_EQ(learnt("PUT", refusal(400, "IllegalLocationConstraintException", "", in_region("eu-west-1"))), "eu-west-1");
  for (const long status : {301L, 400L, 403L}) {
    CHECK_EQ(learnt("HEAD", {status, in_region("eu-west-1"), ""}), "eu-west-1");
  }
}

void a_region_that_is_not_told_must_be_asked_for() {
  CHECK_EQ(learnt("PUT", refusal(301, "PermanentRedirect")), "");
  CHECK_EQ(learnt("PUT", refusal(400, "IllegalLocationConstraintException")), "");
}

void other_refusals_teach_no_region() {
  CHECK_EQ(learnt("GET", refusal(400, "AuthorizationHeaderMalformed")), "nothing");
  CHECK_EQ(learnt("GET", refusal(403, "AccessDenied", "eu-west-1")), "nothing");  // Garage names it in every error
  CHECK_EQ(learnt("GET", {403, in_region("eu-west-1"), ""}), "nothing");
  CHECK_EQ(learnt("GET", refusal(503, "SlowDown", "eu-west-1")), "nothing");
  CHECK_EQ(learnt("HEAD", {301, {}, ""}), "nothing");
  CHECK_EQ(learnt("GET", {301, {{"location", "https://evil.example.org/"}}, "<html>"}), "nothing");
  CHECK_EQ(learnt("HEAD", {404, in_region("eu-west-1"), ""}), "nothing");
  CHECK_EQ(learnt("GET", refusal(307, "TemporaryRedirect", "", {{"location", "http://evil.example.org/"}})), "nothing");
  CHECK_EQ(learnt("HEAD", {403, in_region("us-east-1"), ""}), "nothing");  // we signed for it: 403 means 403
}

void what_cannot_be_a_region_is_not_believed() {
  for (const std::string& name : {std::string("eu.evil.example.org/"), std::string("EU"), std::string("a b"),
                                  std::string("a/b"), std::string("a\nb"), std::string(64, 'a')}) {
    CHECK_EQ(learnt("HEAD", {301, in_region(name), ""}), "nothing");
    CHECK_EQ(learnt("GET", refusal(400, "AuthorizationHeaderMalformed", name)), "nothing");
  }
  CHECK_EQ(learnt("HEAD", {301, in_region(std::string(63, 'a')), ""}), std::string(63, 'a'));
}

void a_clock_is_corrected_when_the_store_says_that_it_is_wrong() {
  for (const seconds ahead : {seconds(3600), seconds(-86400 * 3650)}) {
    const TimePoint ours = kNow - ahead;
    const HttpAnswer told = refusal(403, "RequestTimeTooSkewed", "", dated(seconds(0)));
    const auto lesson = clock_lesson("PUT", told, ours);
    if (ahead.count() > 0) CHECK(lesson && lesson->ahead == ahead && lesson->is_certain);
    if (ahead.count() < 0) CHECK(lesson && lesson->ahead == ahead);
  }
}

void a_head_without_words_is_judged_by_its_date_alone() {
  const auto lesson = clock_lesson("HEAD", {403, dated(seconds(901)), ""}, kNow);
  CHECK(lesson && lesson->ahead == seconds(901) && !lesson->is_certain);
  CHECK(!clock_lesson("HEAD", {403, dated(seconds(900)), ""}, kNow));
  CHECK(!clock_lesson("HEAD", {403, dated(seconds(-900)), ""}, kNow));
  CHECK(clock_lesson("HEAD", {403, dated(seconds(-901)), ""}, kNow));
  CHECK(!clock_lesson("HEAD", {404, dated(seconds(9000)), ""}, kNow));
}

void a_plausible_clock_is_left_alone() {
  CHECK(!clock_lesson("PUT", refusal(403, "RequestTimeTooSkewed", "", dated(seconds(60))), kNow));
  CHECK(clock_lesson("PUT", refusal(403, "RequestTimeTooSkewed", "", dated(seconds(61))), kNow));
  CHECK(!clock_lesson("PUT", refusal(403, "AccessDenied", "", dated(seconds(9000))), kNow));
  CHECK(!clock_lesson("PUT", refusal(403, "RequestTimeTooSkewed"), kNow));
  CHECK(!clock_lesson("PUT", refusal(403, "RequestTimeTooSkewed", "", {{"date", "yesterday"}}), kNow));
  CHECK(!clock_lesson("PUT", refusal(403, "RequestTimeTooSkewed", "", {{"date", "Thu, 01 Jan 1970 00:00:00 GMT"}}),
                      kNow));
}

void only_hosts_of_aws_move_with_the_region() {
  const auto moved = [](std::string_view endpoint) { return endpoint_in_region(endpoint, "us-east-1", "eu-west-1"); };
  CHECK_EQ(moved("https://s3.us-east-1.amazonaws.com"), "https://s3.eu-west-1.amazonaws.com");
  CHECK_EQ(moved("https://s3.dualstack.us-east-1.amazonaws.com"), "https://s3.dualstack.eu-west-1.amazonaws.com");
  CHECK_EQ(moved("https://s3.amazonaws.com"), "https://s3.eu-west-1.amazonaws.com");
  CHECK_EQ(endpoint_in_region("https://s3.cn-north-1.amazonaws.com.cn", "cn-north-1", "cn-northwest-1"),
           "https://s3.cn-northwest-1.amazonaws.com.cn");
  CHECK_EQ(moved("https://s3.us-east-1.example.org"), "https://s3.us-east-1.example.org");
  CHECK_EQ(moved("http://127.0.0.1:7480"), "http://127.0.0.1:7480");
  CHECK_EQ(moved(""), "");
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      CASE(a_region_is_learnt_from_body_or_header),
      CASE(a_region_that_is_not_told_must_be_asked_for),
      CASE(other_refusals_teach_no_region),
      CASE(what_cannot_be_a_region_is_not_believed),
      CASE(a_clock_is_corrected_when_the_store_says_that_it_is_wrong),
      CASE(a_head_without_words_is_judged_by_its_date_alone),
      CASE(a_plausible_clock_is_left_alone),
      CASE(only_hosts_of_aws_move_with_the_region),
  };
  return RUN_TESTS("s3_correction", tests);
}

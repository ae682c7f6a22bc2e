// routes_limits_test.cc — what each request spends, from whose budgets, and the answer when there is none left.
#include "fake/service.h"

using namespace cloakroom;
using fake::Answer;
using fake::Service;

namespace {

using Spent = std::vector<std::string>;
const fake::Variables kAddress{{"REMOTE_ADDR", "2001:db8:1:2::9"}};
const std::string kNowhere = "0198c0de-0000-7000-8000-000000000000";

fake::ServiceOptions limited() {
  const Rate rate = CHECK_OK(parse_rate("60/m"));
  fake::ServiceOptions options;
  options.rates = {{rate, rate, rate}, {rate, rate, rate}};
  return options;
}

std::string file_path(const Attachment& a) {
  return "/api/files/" + to_string(a.id) + "/x.png";
}

}  // namespace

static void a_download_is_spent_by_the_user_and_his_address() {
  Service s(limited());
  const Attachment a = s.add();
  CHECK_EQ(s.ask("alice", "GET " + file_path(a), {}, kAddress).status, 200);
  CHECK(s.rows.spent == (Spent{"downloads u:alice", "downloads a:2001:db8:1:2::"}));
  s.rows.spent.clear();
  CHECK_EQ(s.ask("alice", "GET /api/attachments/" + to_string(a.id), {}, kAddress).status, 200);
  CHECK_EQ(s.rows.spent.size(), 2u);
}

static void a_missing_and_a_foreign_file_cost_the_same_and_a_miss_more() {
  for (const bool foreign : {false, true}) {
    Service s(limited());
    const Attachment a = s.add();
    CHECK_EQ(
        s.ask("mallory", "GET " + (foreign ? file_path(a) : "/api/files/" + kNowhere + "/x.png"), {}, kAddress).status,
        404);
    CHECK(s.rows.spent ==
          (Spent{"downloads u:mallory", "downloads a:2001:db8:1:2::", "misses u:mallory", "misses a:2001:db8:1:2::"}));
  }
}

static void the_service_spends_nothing_and_an_unknown_address_has_no_budget() {
  Service s(limited());
  const Attachment a = s.add();
  CHECK_EQ(s.ask("service", "GET " + file_path(a), {}, kAddress).status, 200);
  CHECK_EQ(s.ask("service", "GET /api/files/" + kNowhere + "/x.png", {}, kAddress).status, 404);
  CHECK(s.rows.spent.empty());
  CHECK_EQ(s.ask("alice", "GET " + file_path(a), {}, {{"REMOTE_ADDR", "unix:"}}).status, 200);
  CHECK(s.rows.spent == (Spent{"downloads u:alice"}));
}

static void public_files_are_counted_by_address_alone() {
  fake::ServiceOptions options = limited();
  options.visibility = Visibility::kPublic;
  Service s(options);
  const Attachment a = s.add();
  CHECK_EQ(s.ask("alice", "GET " + file_path(a), {}, {{"REMOTE_ADDR", "192.0.2.7"}}).status, 200);
  CHECK(s.rows.spent == (Spent{"downloads a:192.0.2.7"}));
}

static void nothing_is_counted_where_rates_are_off() {
  Service s;
  const Attachment a = s.add();
  CHECK_EQ(s.ask("alice", "GET " + file_path(a), {}, kAddress).status, 200);
  CHECK_EQ(s.ask("mallory", "GET " + file_path(a), {}, kAddress).status, 404);
  CHECK(s.rows.spent.empty());
}

static void an_upload_is_spent_and_a_refused_one_keeps_nothing() {
  Service s(limited());
  CHECK_EQ(s.ask("alice", "PUT /api/upload/x.png", "hello", kAddress).status, 201);
  CHECK(s.rows.spent == (Spent{"uploads u:alice", "uploads a:2001:db8:1:2::"}));
  s.rows.failures.fail(1, too_many(Budget::kUploads, CHECK_OK(parse_rate("60/m")), std::chrono::milliseconds(1)));
  const Answer refused = s.ask("alice", "PUT /api/upload/x.png", "hello", kAddress);
  CHECK_EQ(refused.status, 429);
  CHECK_EQ(refused.header("Retry-After"), "1");
  CHECK_EQ(s.rows.attachments.size(), 1u);
}

static void the_refusal_says_how_long_and_by_which_budget() {
  Service s(limited());
  const Attachment a = s.add();
  s.rows.failures.fail(
      1, too_many(Budget::kDownloads, CHECK_OK(parse_rate("60/m burst 5")), std::chrono::milliseconds(2100)));
  const Answer refused = s.ask("alice", "GET " + file_path(a), {}, kAddress);
  CHECK_EQ(refused.status, 429);
  CHECK_EQ(refused.header("Content-Type"), "application/problem+json");
  CHECK_EQ(refused.header("Retry-After"), "3");
  CHECK_EQ(refused.header("RateLimit-Policy"), "\"downloads\";q=60;w=60");
  CHECK_EQ(refused.header("RateLimit"), "\"downloads\";r=0;t=3");
  CHECK(refused.body.find("urn:cloakroom:error:too_many") != std::string::npos);
}

static void a_miss_over_its_budget_is_a_429() {
  Service s(limited());
  s.rows.failures.fail(
      3, too_many(Budget::kMisses, CHECK_OK(parse_rate("60/m")), std::chrono::seconds(1)));  // spend, find, spend
  const Answer refused = s.ask("mallory", "GET /api/files/" + kNowhere + "/x.png", {}, kAddress);
  CHECK_EQ(refused.status, 429);
  CHECK_EQ(refused.header("RateLimit"), "\"misses\";r=0;t=1");
}

int main() {
  const CMUnitTest tests[] = {
      CASE(a_download_is_spent_by_the_user_and_his_address),
      CASE(a_missing_and_a_foreign_file_cost_the_same_and_a_miss_more),
      CASE(the_service_spends_nothing_and_an_unknown_address_has_no_budget),
      CASE(public_files_are_counted_by_address_alone),
      CASE(nothing_is_counted_where_rates_are_off),
      CASE(an_upload_is_spent_and_a_refused_one_keeps_nothing),
      CASE(the_refusal_says_how_long_and_by_which_budget),
      CASE(a_miss_over_its_budget_is_a_429),
  };
  return RUN_TESTS("routes_limits", tests);
}

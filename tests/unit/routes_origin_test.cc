// routes_origin_test.cc — what stands around every route for browsers: proof of origin, CORS, policies.
#include <algorithm>
#include <string>

#include "check.h"
#include "fake/service.h"

using namespace cloakroom;
using fake::Answer;
using fake::meta_url;
using fake::Service;

namespace {

const std::string kApp = "https://app.example";

const fake::Variables kForeign{{"HTTP_SEC_FETCH_SITE", "cross-site"}, {"HTTP_ORIGIN", "https://evil.example"}};
const fake::Variables kListed{{"HTTP_SEC_FETCH_SITE", "cross-site"}, {"HTTP_ORIGIN", kApp}};

void list_app(Service& s) {
  s.app.options.origins.listed = {kApp};
}

}  // namespace

static void a_write_from_a_foreign_page_is_denied_and_changes_nothing() {
  Service s;
  Attachment& a = s.add();
  for (const std::string& target :
       {std::string("POST /api/upload"), std::string("PUT /api/upload/x"), std::string("POST /api/attachments/link"),
        "DELETE " + meta_url(a), std::string("POST /api/direct-uploads")}) {
    const Answer answer = s.ask("alice", target, "x", kForeign);
    CHECK_EQ(answer.status, 403);
    CHECK_EQ(fake::member(answer, "type"), "urn:cloakroom:error:denied");
    CHECK(fake::member(answer, "detail").find("CORS_ORIGINS") != std::string::npos);
  }
  CHECK_EQ(s.rows.attachments.size(), 1u);
  CHECK_EQ(s.ask("", "PUT /api/upload/x", "x", kForeign).status, 401);  // nobody learns more than before
}

static void reading_needs_no_proof() {
  Service s;
  Attachment& a = s.add();
  CHECK_EQ(s.ask("alice", "GET " + meta_url(a), "", kForeign).status, 200);
}

static void our_own_pages_and_those_listed_may_write() {
  Service s;
  CHECK_EQ(s.ask("alice", "PUT /api/upload/x", "x", {{"HTTP_SEC_FETCH_SITE", "same-origin"}}).status, 201);
  CHECK_EQ(s.ask("alice", "PUT /api/upload/x", "x", kListed).status, 403);
  list_app(s);
  CHECK_EQ(s.ask("alice", "PUT /api/upload/x", "x", kListed).status, 201);
}

static void a_bearer_token_is_proof_enough() {
  Service s;
  CHECK_EQ(s.ask("service", "PUT /api/upload/x", "x", kForeign).status, 201);
}

static void nginx_is_told_before_the_body_is_taken() {
  Service s;
  CHECK_EQ(s.ask("alice", "GET /_cloakroom/may-upload", "", kForeign).status, 403);
  CHECK_EQ(s.ask("alice", "GET /_cloakroom/may-upload").status, 204);
}

static void a_preflight_of_a_listed_origin_is_answered_without_an_identity() {
  Service s;
  list_app(s);
  fake::Variables asked{{"HTTP_ORIGIN", kApp}, {"HTTP_ACCESS_CONTROL_REQUEST_METHOD", "DELETE"}};
  const Answer answer = s.ask("", "OPTIONS /api/attachments/1", "", asked);
  CHECK_EQ(answer.status, 204);
  CHECK_EQ(answer.header("Access-Control-Allow-Origin"), kApp);
  CHECK_EQ(answer.header("Access-Control-Allow-Credentials"), "true");
  CHECK(answer.header("Access-Control-Allow-Methods").find("DELETE") != std::string::npos);
  CHECK(answer.header("Access-Control-Allow-Headers").find("Authorization") != std::string::npos);
  CHECK_EQ(answer.header("Vary"), "Origin");
  asked["HTTP_ORIGIN"] = "https://evil.example";
  const Answer other = s.ask("", "OPTIONS /api/attachments/1", "", asked);
  CHECK_EQ(other.status, 405);
  CHECK_EQ(other.header("Access-Control-Allow-Origin"), "");
  CHECK_EQ(other.header("Access-Control-Allow-Methods"), "");
}

static void every_answer_has_its_policies() {
  Service s;
  list_app(s);
  Attachment& a = s.add();
  for (const std::string& target :
       {"GET " + meta_url(a), "GET " + fake::file_url(a), "HEAD " + fake::file_url(a), std::string("GET /api/nothing"),
        std::string("POST /api/attachments/1"), std::string("GET nonsense"), std::string("GET /healthz")}) {
    const Answer answer = s.ask("alice", target, "", kListed);
    CHECK(answer.header("Content-Security-Policy").find("default-src 'none'") != std::string::npos);
    CHECK(answer.header("Content-Security-Policy").find("sandbox") != std::string::npos);
    CHECK_EQ(answer.header("X-Content-Type-Options"), "nosniff");
    CHECK_EQ(answer.header("Referrer-Policy"), "no-referrer");
    CHECK_EQ(answer.header("Cross-Origin-Resource-Policy"), "same-site");
    CHECK_EQ(answer.header("Access-Control-Allow-Origin"), kApp);
    CHECK_EQ(answer.header("Vary"), "Origin");
    for (const auto& [name, value] : answer.headers) {
      const auto same = [&name = name](const auto& other) { return other.first == name; };
      CHECK_EQ(std::count_if(answer.headers.begin(), answer.headers.end(), same), 1);
    }
  }
}

int main() {
  const CMUnitTest tests[] = {
      CASE(a_write_from_a_foreign_page_is_denied_and_changes_nothing),
      CASE(reading_needs_no_proof),
      CASE(our_own_pages_and_those_listed_may_write),
      CASE(a_bearer_token_is_proof_enough),
      CASE(nginx_is_told_before_the_body_is_taken),
      CASE(a_preflight_of_a_listed_origin_is_answered_without_an_identity),
      CASE(every_answer_has_its_policies),
  };
  return RUN_TESTS("routes_origin", tests);
}

// routes_test.cc — what stands around every route (identity, cloaking, methods, faults), and metadata, links, members.
#include <string>

#include "base/limits.h"
#include "base/log.h"
#include "check.h"
#include "fake/service.h"

using namespace cloakroom;
using fake::Answer;
using fake::FakeExchange;
using fake::list_size;
using fake::member;
using fake::meta_url;
using fake::Service;

namespace {

const std::string kNobodysId = "0198c0de-beef-7abc-89ab-0123456789ab";

std::string link_body(const std::string& ids, const std::string& more = R"("message_id":"m1")") {
  return R"({"attachment_ids":)" + ids + "," + more + "}";
}
std::string quoted(const Attachment& a) {
  return "[\"" + to_string(a.id) + "\"]";
}

}  // namespace

static void missing_foreign_and_malformed_ids_give_the_same_bytes() {
  Service s;
  const Attachment& alices = s.add();
  const auto bytes = [&](const std::string& method, const std::string& path) {
    FakeExchange exchange;
    exchange.variables = {{"REQUEST_METHOD", method}, {"REQUEST_URI", path}, {"REMOTE_USER", "bob"}};
    s.serve(exchange);
    return exchange.written;
  };
  const std::string wanted = bytes("GET", "/api/files/" + kNobodysId + "/x");
  CHECK(wanted.starts_with("Status: 404 "));
  for (const std::string& id :
       {kNobodysId, to_string(alices.id), std::string("17"), std::string("%00"), std::string("a%2Fb")}) {
    CHECK_EQ(bytes("GET", "/api/files/" + id + "/x"), wanted);
    CHECK_EQ(bytes("GET", "/api/attachments/" + id), wanted);
    CHECK_EQ(bytes("DELETE", "/api/attachments/" + id), wanted);
  }
  CHECK_EQ(bytes("GET", "/api/nothing/here"), wanted);
  CHECK_EQ(s.rows.attachments.size(), 1u);
}

static void another_method_is_told_which_are_allowed() {
  Service s;
  const Answer post = s.ask("alice", "POST /api/attachments/" + kNobodysId);
  CHECK_EQ(post.status, 405);
  CHECK_EQ(post.header("Allow"), "GET, HEAD, DELETE");
  CHECK_EQ(s.ask("", "GET /api/upload").header("Allow"), "POST");
}

static void without_identity_every_route_but_health_says_401() {
  Service s;
  for (const char* target : {"POST /api/upload", "PUT /api/upload/x", "GET /api/files/1/x", "GET /api/attachments",
                             "POST /api/attachments/link", "GET /api/attachments/1", "DELETE /api/attachments/1",
                             "DELETE /api/messages/1", "PUT /api/dialogs/1/members"}) {
    const Answer answer = s.ask("", target);
    CHECK_EQ(answer.status, 401);
    CHECK_EQ(answer.header("WWW-Authenticate"), "Bearer");
  }
  CHECK(s.journal.empty());
  CHECK_EQ(s.ask("", "GET /healthz").status, 200);
}

static void what_is_the_services_is_denied_to_users() {
  Service s;
  CHECK_EQ(s.ask("alice", "DELETE /api/messages/1").status, 403);
  CHECK_EQ(s.ask("alice", "PUT /api/dialogs/1/members", R"({"members":["alice"]})").status, 403);
  CHECK(s.journal.empty());
}

static void only_the_service_names_another_uploader() {
  Service s;
  const Attachment& alices = s.add();
  const fake::Variables as_bob{{"HTTP_X_UPLOADER_ID", "bob"}};
  CHECK_EQ(s.ask("alice", "GET " + meta_url(alices), "", as_bob).status, 400);
  CHECK_EQ(s.ask("alice", "PUT /api/upload/x", "hello", as_bob).status, 400);
  CHECK_EQ(s.ask("service", "PUT /api/upload/x", "hello", as_bob).status, 201);
  CHECK(s.rows.attachments.back().uploader_id == "bob");
  CHECK_EQ(s.ask("service", "PUT /api/upload/x", "hello", {{"HTTP_X_UPLOADER_ID", "\xFF"}}).status, 400);
}

static void head_has_the_headers_of_get_and_no_body() {
  Service s;
  const Attachment& a = s.add();
  for (const std::string& path :
       {meta_url(a), std::string("/healthz"), std::string("/api/nothing"), meta_url(a) + "0"}) {
    const Answer get = s.ask("alice", "GET " + path);
    const Answer head = s.ask("alice", "HEAD " + path);
    CHECK_EQ(head.status, get.status);
    CHECK(head.headers == get.headers);
    CHECK_EQ(head.body, "");
    CHECK(!get.body.empty());
  }
}

static void a_malformed_request_is_a_400_under_nginxs_id() {
  Service s;
  const Answer get = s.ask("alice", "GET /api/attachments", "", {{"CONTENT_LENGTH", "x"}});
  CHECK_EQ(get.status, 400);
  CHECK_EQ(get.header("X-Request-Id"), "9f2c");
  const Answer head = s.ask("alice", "HEAD /api/attachments", "", {{"CONTENT_LENGTH", "x"}});
  CHECK_EQ(head.status, 400);
  CHECK_EQ(head.body, "");
  CHECK_EQ(s.ask("alice", "GET nonsense").status, 400);
}

static void an_exception_becomes_a_500_and_the_next_request_is_answered() {
  Service s;
  const Attachment& a = s.add();
  s.rows.failures.run_out_of_memory();
  const Answer answer = s.ask("alice", "GET " + meta_url(a));
  CHECK_EQ(answer.status, 500);
  CHECK_EQ(answer.header("Content-Type"), "application/problem+json");
  CHECK_EQ(answer.body.find("bad_alloc"), std::string::npos);
  CHECK_EQ(s.ask("alice", "GET /healthz").status, 200);
}

static void a_database_that_is_away_is_a_503_and_says_when_to_come_back() {
  Service s;
  const Attachment& a = s.add();
  s.rows.failures.fail(1, {Errc::kDatabase, "host=secret"});
  const Answer answer = s.ask("alice", "GET " + meta_url(a));
  CHECK_EQ(answer.status, 503);
  CHECK_EQ(answer.header("Retry-After"), "2");
  CHECK_EQ(answer.body.find("secret"), std::string::npos);
  CHECK_EQ(s.ask("alice", "GET " + meta_url(a)).status, 200);
}

static void with_a_fallback_a_service_without_its_store_is_ready() {
  Service s({.new_files = StoreKind::kS3, .fallback = true});
  s.s3.failures.fail(1, {Errc::kStore, "away", {}, true});
  const Answer answer = s.ask("", "GET /readyz");
  CHECK_EQ(answer.status, 200);
  CHECK_EQ(answer.body, R"({"status":"ok","database":"ok","store":"fallback"})");
  s.s3.failures.fail(1, {Errc::kStore, "away", {}, true});
  s.local.failures.fail(1, {Errc::kDiskFull, "full"});
  CHECK_EQ(s.ask("", "GET /readyz").status, 503);
}

static void ready_names_the_part_that_is_away() {
  Service s;
  CHECK_EQ(s.ask("", "GET /readyz").body, R"({"status":"ok","database":"ok","store":"ok"})");
  s.local.failures.fail(1, {Errc::kStore, "away"});
  const Answer answer = s.ask("", "GET /readyz");
  CHECK_EQ(answer.status, 503);
  CHECK_EQ(answer.body, R"({"status":"unavailable","database":"ok","store":"unavailable"})");
}

static void metadata_shows_the_row_and_never_its_key() {
  Service s;
  Attachment& a = s.add();
  a.filename = "\xC3\x9C 1%.PNG";
  a.key = "hidden/key";
  const Answer answer = s.ask("alice", "GET " + meta_url(a));
  CHECK_EQ(answer.status, 200);
  CHECK_EQ(answer.header("Cache-Control"), "no-store");
  CHECK_EQ(member(answer, "url"), "/api/files/" + to_string(a.id) + "/%C3%9C%201%25.PNG");
  CHECK_EQ(member(answer, "data_url"), member(answer, "url"));
  CHECK_EQ(member(answer, "filename"), a.filename);
  CHECK_EQ(member(answer, "extension"), "png");
  CHECK_EQ(member(answer, "file_type"), "image");
  CHECK_EQ(member(answer, "size"), "5");
  CHECK_EQ(member(answer, "sha256"), hex_encode(sha256("hello")));
  CHECK_EQ(member(answer, "message_id"), "null");
  CHECK_EQ(member(answer, "created_at"), "2026-01-31T09:30:00.000Z");
  CHECK_EQ(answer.body.find("hidden"), std::string::npos);
}

static void a_batch_holds_what_the_caller_may_read() {
  Service s;
  s.rows.members.insert({"d1", "bob"});
  for (const char* message : {"m1", "m2", "a,b", "m1"}) {
    Attachment& a = s.add();
    a.status = AttachmentStatus::kLinked;
    a.message_id = message;
    if (*message == 'm') a.dialog_id = "d1";
  }
  const auto count = [&](std::string_view user, const std::string& query) {
    return list_size(s.ask(user, "GET /api/attachments?" + query));
  };
  CHECK_EQ(count("alice", "message_ids=m1,m2"), 3u);
  CHECK_EQ(count("alice", "message_ids=m1&message_ids=m2"), 3u);
  CHECK_EQ(count("alice", "message_ids=m1%2Cm2"), 3u);  // as URLSearchParams writes it
  CHECK_EQ(count("alice", "message_id=a%2Cb"), 1u);     // one id that holds a comma
  CHECK_EQ(count("alice", "message_ids=a,b"), 0u);
  CHECK_EQ(count("bob", "message_ids=m1,m2&message_id=a,b"), 3u);
  CHECK_EQ(count("carol", "message_ids=m1,m2"), 0u);
  CHECK_EQ(count("service", "message_ids=m1,m2&message_id=a,b"), 4u);
}

static void a_batch_must_name_ids_and_not_too_many() {
  Service s;
  std::string many = "message_ids=1";
  for (std::size_t i = 1; i < limits::kBatchIds; ++i) many += ",1";
  CHECK_EQ(s.ask("alice", "GET /api/attachments?" + many).status, 200);
  for (const std::string& query :
       {many + ",1", std::string(), std::string("message_ids="), std::string("message_ids=a,,b"),
        std::string("message_ids=%zz"), std::string("message_ids=%FF"), std::string("message_ids=a%0Ab"),
        std::string("message_idsx=1"), std::string("status=linked")})
    CHECK_EQ(s.ask("alice", "GET /api/attachments?" + query).status, 400);
}

static void own_unlinked_uploads_can_be_found_again() {
  Service s;
  s.add();
  s.add().status = AttachmentStatus::kLinked;
  s.add().uploader_id = "bob";
  CHECK_EQ(list_size(s.ask("alice", "GET /api/attachments?status=uploaded")), 1u);
  CHECK_EQ(list_size(s.ask("carol", "GET /api/attachments?status=uploaded")), 0u);
}

static void an_uploader_removes_what_is_unlinked() {
  Service s;
  const std::string url = meta_url(s.add());
  const Answer answer = s.ask("alice", "DELETE " + url);
  CHECK_EQ(answer.status, 204);
  CHECK_EQ(answer.body, "");
  CHECK_EQ(s.ask("alice", "DELETE " + url).status, 404);
  Attachment& linked = s.add();
  linked.status = AttachmentStatus::kLinked;
  linked.dialog_id = "d1";
  s.rows.members.insert({"d1", "bob"});
  CHECK_EQ(s.ask("alice", "DELETE " + meta_url(linked)).status, 409);
  CHECK_EQ(s.ask("bob", "DELETE " + meta_url(linked)).status, 403);
  CHECK_EQ(s.rows.attachments.size(), 1u);
}

static void a_link_ties_the_callers_own_uploads() {
  Service s;
  const Attachment& a = s.add();
  const Answer answer =
      s.ask("alice", "POST /api/attachments/link", link_body(quoted(a), R"("message_id":17,"dialog_id":"d1")"));
  CHECK_EQ(answer.status, 200);
  CHECK_EQ(list_size(answer), 1u);
  CHECK(a.status == AttachmentStatus::kLinked && a.message_id == "17" && a.dialog_id == "d1");
}

static void a_link_that_cannot_be_is_a_409_whatever_the_reason() {
  Service s;
  const std::string alices = quoted(s.add());
  std::string first;
  for (const std::string& ids : {alices, "[\"" + kNobodysId + "\"]", std::string(R"(["malformed"])"),
                                 std::string("[17]"), std::string(R"(["../../x"])")}) {
    const Answer answer = s.ask("bob", "POST /api/attachments/link", link_body(ids));
    CHECK_EQ(answer.status, 409);
    if (first.empty()) first = answer.body;
    CHECK_EQ(answer.body, first);
  }
  CHECK(s.rows.attachments[0].status == AttachmentStatus::kUploaded);
}

static void a_malformed_link_is_a_400_and_changes_nothing() {
  Service s;
  const std::string ids = quoted(s.add());
  std::string many = "[\"" + kNobodysId + "\"";
  for (std::size_t i = 0; i < limits::kBatchIds; ++i) many += ",\"" + kNobodysId + "\"";
  for (const std::string& body :
       {std::string("{"), std::string("[]"), std::string("\"x\""), std::string("{}"), link_body("[]"),
        link_body("\"x\""), link_body("{}"), link_body(many + "]"), link_body(ids, R"("x":1)"),
        link_body(ids, R"("message_id":null)"), link_body(ids, R"("message_id":"")"),
        link_body(ids, R"("message_id":1.5)"), link_body(ids, R"("message_id":["m"])"),
        link_body(ids, R"("message_id":"a\nb")"), link_body(ids, R"("message_id":"m","dialog_id":"")"),
        link_body(ids, R"("message_id":"m","dialog_id":true)"), link_body(ids, R"("message_id":"a","message_id":"b")")})
    CHECK_EQ(s.ask("alice", "POST /api/attachments/link", body).status, 400);
  CHECK_EQ(s.ask("alice", "POST /api/attachments/link", std::string(limits::kJsonBodyBytes + 1, ' ')).status, 413);
  CHECK_EQ(std::count(s.journal.begin(), s.journal.end(), "link"), 0);
}

static void only_the_service_links_for_another() {
  Service s;
  const Attachment& a = s.add();
  const std::string for_alice = link_body(quoted(a), R"("message_id":"m","uploader_id":"alice")");
  CHECK_EQ(s.ask("bob", "POST /api/attachments/link", for_alice).status, 403);
  CHECK(a.status == AttachmentStatus::kUploaded);
  CHECK_EQ(s.ask("service", "POST /api/attachments/link", link_body(quoted(a))).status, 409);  // not its own
  CHECK_EQ(s.ask("service", "POST /api/attachments/link", for_alice).status, 200);
  CHECK_EQ(s.ask("alice", "POST /api/attachments/link", for_alice).status, 200);  // the same again: same answer
}

static void members_are_checked_and_replaced_as_a_whole() {
  Service s;
  s.rows.members.insert({"d 1", "old"});
  const auto put = [&](const std::string& body) { return s.ask("service", "PUT /api/dialogs/d%201/members", body); };
  std::string many = "[1";
  for (std::size_t i = 0; i < limits::kDialogMembers; ++i) many += ",1";
  for (const std::string& body :
       {std::string(), std::string("{}"), std::string("17"), std::string(R"({"members":"alice"})"),
        std::string(R"({"members":["alice",""]})"), std::string(R"({"members":["a\nb"]})"),
        std::string(R"({"members":[1.5]})"), std::string(R"({"members":[null]})"), many + "]"})
    CHECK_EQ(put(body).status, 400);
  CHECK(s.rows.members.contains({"d 1", "old"}));
  const Answer answer = put(R"({"members":["alice",17]})");
  CHECK_EQ(answer.body, R"({"dialog_id":"d 1","members":2})");
  const std::set<std::pair<std::string, std::string>> wanted{{"d 1", "alice"}, {"d 1", "17"}};
  CHECK(s.rows.members == wanted);
  CHECK_EQ(put("[]").status, 200);
  CHECK(s.rows.members.empty());
}

static void deleting_a_message_twice_is_no_fault() {
  Service s;
  s.add().message_id = "m/1";
  s.add().message_id = "m2";
  CHECK_EQ(s.ask("service", "DELETE /api/messages/m2").status, 204);
  CHECK_EQ(s.ask("service", "DELETE /api/messages/m2").status, 204);
  CHECK_EQ(s.ask("service", "DELETE /api/messages/%FF").status, 404);
  CHECK_EQ(s.rows.attachments.size(), 1u);
}

int main() {
  set_log_level(Level::kError);  // one line a request would drown the report
  const CMUnitTest tests[] = {
      CASE(missing_foreign_and_malformed_ids_give_the_same_bytes),
      CASE(another_method_is_told_which_are_allowed),
      CASE(without_identity_every_route_but_health_says_401),
      CASE(what_is_the_services_is_denied_to_users),
      CASE(only_the_service_names_another_uploader),
      CASE(head_has_the_headers_of_get_and_no_body),
      CASE(a_malformed_request_is_a_400_under_nginxs_id),
      CASE(an_exception_becomes_a_500_and_the_next_request_is_answered),
      CASE(a_database_that_is_away_is_a_503_and_says_when_to_come_back),
      CASE(with_a_fallback_a_service_without_its_store_is_ready),
      CASE(ready_names_the_part_that_is_away),
      CASE(metadata_shows_the_row_and_never_its_key),
      CASE(a_batch_holds_what_the_caller_may_read),
      CASE(a_batch_must_name_ids_and_not_too_many),
      CASE(own_unlinked_uploads_can_be_found_again),
      CASE(an_uploader_removes_what_is_unlinked),
      CASE(a_link_ties_the_callers_own_uploads),
      CASE(a_link_that_cannot_be_is_a_409_whatever_the_reason),
      CASE(a_malformed_link_is_a_400_and_changes_nothing),
      CASE(only_the_service_links_for_another),
      CASE(members_are_checked_and_replaced_as_a_whole),
      CASE(deleting_a_message_twice_is_no_fault),
  };
  return RUN_TESTS("routes", tests);
}

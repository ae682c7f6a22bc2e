// routes_links_test.cc — signed links through the dispatcher, files by dialog, and the application's word for one file.
#include <string>

#include "base/log.h"
#include "check.h"
#include "fake/service.h"

using namespace cloakroom;
using fake::Answer;
using fake::file_url;
using fake::member;
using fake::meta_url;
using fake::Service;
using std::chrono::seconds;

namespace {

const std::string kNobodysId = "0198c0de-beef-7abc-89ab-0123456789ab";
const std::string kJwtSecret = "a secret of the tests";

std::string link_of(const Service& s, const Attachment& a, seconds life = seconds(50), const std::string& user = {},
                    const std::string& ip = {}) {
  return "?link=" + s.links.sign({.id = a.id, .expires = s.clock.now() + life, .user_id = user, .ip = ip});
}
std::string token_url(const Attachment& a) {
  return meta_url(a) + "/link-token";
}
std::string dialog_url(const std::string& dialog, const Attachment& a) {
  return "/api/support-chat/attachments/" + dialog + "/" + to_string(a.id);
}
fake::Variables bearer(const Service& s, const std::string& user) {
  return {{"HTTP_AUTHORIZATION",
           "Bearer " + make_jwt(kJwtSecret, "sub", {user, s.clock.now(), s.clock.now() + seconds(600)})}};
}
void link_to_dialog(Attachment& a, const std::string& dialog) {
  a.status = AttachmentStatus::kLinked;
  a.message_id = "m1";
  a.dialog_id = dialog;
}

}  // namespace

static void who_may_read_makes_a_link_and_it_opens_the_file_for_anybody() {
  Service s;
  Attachment& a = s.add();
  link_to_dialog(a, "d1");
  s.rows.members.insert({"d1", "bob"});
  for (const char* user : {"alice", "bob", "service"}) {
    const Answer made = s.ask(user, "POST " + token_url(a), R"({"expires_in":30})");
    CHECK_EQ(made.status, 201);
    CHECK_EQ(made.header("Cache-Control"), "no-store");
    CHECK_EQ(member(made, "expires_at"), iso8601_ms(s.clock.now() + seconds(30)));
    CHECK_EQ(member(made, "url"), "/api/files/" + to_string(a.id) + "/x.png?link=" + member(made, "token"));
    CHECK_EQ(s.ask("", "GET " + member(made, "url")).status, 200);
  }
  const Answer usual = s.ask("alice", "POST " + token_url(a));
  CHECK_EQ(member(usual, "expires_at"), iso8601_ms(s.clock.now() + seconds(100)));
  CHECK_EQ(s.ask("carol", "POST " + token_url(a)).status, 404);
  CHECK_EQ(s.ask("carol", "POST /api/attachments/" + kNobodysId + "/link-token").status, 404);
  CHECK_EQ(s.ask("carol", "POST /api/attachments/nonsense/link-token").status, 404);
  CHECK_EQ(s.ask("", "POST " + token_url(a)).status, 401);
}

static void a_link_gives_the_bytes_and_nothing_else() {
  Service s;
  const Attachment& a = s.add();
  const std::string link = link_of(s, a);
  CHECK_EQ(s.ask("", "GET " + file_url(a) + link).status, 200);
  CHECK_EQ(s.ask("", "HEAD " + file_url(a) + link).status, 200);
  CHECK_EQ(s.ask("bob", "GET " + file_url(a) + link).status, 200);
  CHECK_EQ(s.ask("", "GET " + meta_url(a) + link).status, 401);
  CHECK_EQ(s.ask("bob", "GET " + meta_url(a) + link).status, 404);
  CHECK_EQ(s.ask("bob", "DELETE " + meta_url(a) + link).status, 404);
  CHECK_EQ(s.ask("bob", "POST " + token_url(a) + link).status, 404);
  CHECK_EQ(s.rows.attachments.size(), 1u);
}

static void a_bad_link_is_like_none() {
  Service s;
  const Attachment a = s.add();
  const Attachment b = s.add();
  const std::string old = link_of(s, a, seconds(-1)), other = link_of(s, b);
  for (const std::string& link : {old, other, std::string("?link="), std::string("?link=%00"), old + "x"}) {
    CHECK_EQ(s.ask("alice", "GET " + file_url(a) + link).status, 200);
    CHECK_EQ(s.ask("bob", "GET " + file_url(a) + link).status, 404);
    const Answer there = s.ask("", "GET " + file_url(a) + link);
    const Answer absent = s.ask("", "GET /api/files/" + kNobodysId + "/x" + link);
    const Answer malformed = s.ask("", "GET /api/files/nonsense/x" + link);
    CHECK_EQ(there.status, 401);
    CHECK(there.headers == absent.headers && there.body == absent.body);
    CHECK(there.headers == malformed.headers && there.body == malformed.body);
  }
  // a link to what is gone by now
  const std::string good = link_of(s, b);
  s.rows.attachments.pop_back();
  CHECK_EQ(s.ask("", "GET " + file_url(b) + good).status, 404);
}

static void what_comes_by_a_link_is_kept_no_longer_than_it_holds() {
  Service s;
  const Attachment& a = s.add();
  const Answer shorter = s.ask("", "GET " + file_url(a) + link_of(s, a));
  CHECK_EQ(shorter.header("X-Cloakroom-Cache-Control"), "private, max-age=50");
  CHECK_EQ(shorter.header("Referrer-Policy"), "no-referrer");
  const Answer longer = s.ask("alice", "HEAD " + file_url(a) + link_of(s, a, seconds(500)));
  CHECK_EQ(longer.header("Cache-Control"), "private, max-age=60");
  const Answer unchanged = s.ask("", "GET " + file_url(a) + link_of(s, a), "", {{"HTTP_IF_NONE_MATCH", "*"}});
  CHECK_EQ(unchanged.status, 304);
  CHECK_EQ(unchanged.header("Cache-Control"), "private, max-age=50");
  for (const auto& [setting, kept] :
       {std::pair("private, no-cache", "private, no-cache"), std::pair("No-Store", "no-store"),
        std::pair("private", "private, max-age=50"), std::pair("public, max-age=x", "private, max-age=0")}) {
    Service other({.cache_control = setting});
    const Attachment& b = other.add();
    CHECK_EQ(other.ask("", "HEAD " + file_url(b) + link_of(other, b)).header("Cache-Control"), kept);
  }
}

static void a_link_may_be_bound_to_an_address() {
  Service s;
  const Attachment& a = s.add();
  const Answer made = s.ask("alice", "POST " + token_url(a), R"({"ip":"::ffff:192.0.2.7"})");
  const std::string target = "GET " + member(made, "url");
  CHECK_EQ(s.ask("", target, "", {{"REMOTE_ADDR", "192.0.2.7"}}).status, 200);
  CHECK_EQ(s.ask("", target, "", {{"REMOTE_ADDR", "::ffff:192.0.2.7"}}).status, 200);
  for (const char* address : {"192.0.2.8", "", "unix:"}) {
    CHECK_EQ(s.ask("", target, "", {{"REMOTE_ADDR", address}}).status, 401);
  }
  CHECK_EQ(s.ask("", target, "", {{"REMOTE_ADDR", "192.0.2.8"}, {"HTTP_X_FORWARDED_FOR", "192.0.2.7"}}).status, 401);
}

static void a_link_may_be_bound_to_a_user_where_tokens_name_users() {
  Service s({.jwt_secret = kJwtSecret});
  const Attachment& a = s.add();
  const Answer made = s.ask("", "POST " + token_url(a), R"({"user_id":"bob"})", bearer(s, "alice"));
  CHECK_EQ(made.status, 201);
  const std::string target = "GET " + member(made, "url");
  CHECK_EQ(s.ask("", target, "", bearer(s, "bob")).status, 200);
  CHECK_EQ(s.ask("", target, "", bearer(s, "carol")).status, 404);
  CHECK_EQ(s.ask("", target).status, 401);
  CHECK_EQ(s.ask("", target, "", {{"HTTP_AUTHORIZATION", "Bearer nonsense"}}).status, 401);
  Service by_header;
  CHECK_EQ(by_header.ask("alice", "POST " + token_url(by_header.add()), R"({"user_id":"bob"})").status, 400);
}

static void a_malformed_wish_is_400_for_those_who_may_read() {
  Service s({.jwt_secret = kJwtSecret});
  const Attachment& a = s.add();
  for (const char* body :
       {"x", "[]", R"({"expires_in":0})", R"({"expires_in":-1})", R"({"expires_in":1001})", R"({"expires_in":"9"})",
        R"({"expires_in":1.5})", R"({"ip":"localhost"})", R"({"ip":[]})", R"({"user_id":"\u0001"})"}) {
    CHECK_EQ(s.ask("service", "POST " + token_url(a), body).status, 400);
    CHECK_EQ(s.ask("", "POST " + token_url(a), body, bearer(s, "mallory")).status, 404);
  }
  for (const char* body :
       {"{}", R"({"expires_in":null,"ip":null,"user_id":null})", R"({"expires_in":1000,"user_id":7})"}) {
    CHECK_EQ(s.ask("service", "POST " + token_url(a), body).status, 201);
  }
}

static void without_a_secret_there_are_no_links() {
  Service s({.links = false});
  const Attachment& a = s.add();
  CHECK_EQ(s.ask("alice", "POST " + token_url(a)).status, 409);
  CHECK_EQ(s.ask("bob", "POST " + token_url(a)).status, 409);  // no word on the file
  CHECK_EQ(s.ask("", "GET " + file_url(a) + link_of(s, a)).status, 401);
}

static void a_redirect_by_a_link_does_not_outlive_it() {
  Service s({.delivery = Delivery::kRedirect, .new_files = StoreKind::kS3});
  const Attachment& a = s.add("hello", StoreKind::kS3);
  CHECK_EQ(s.ask("", "GET " + file_url(a) + link_of(s, a)).status, 302);
  CHECK(s.presigner.asked.back().expires == seconds(50));
  CHECK_EQ(s.ask("alice", "GET " + file_url(a)).status, 302);
  CHECK(s.presigner.asked.back().expires == seconds(300));
}

static void a_dialog_s_address_gives_its_own_files_alone() {
  Service s;
  Attachment& a = s.add();
  s.rows.members = {{"d1", "bob"}, {"d2", "bob"}};
  CHECK_EQ(s.ask("alice", "GET " + dialog_url("d1", a)).status, 404);
  a.dialog_id = "d1";  // uploaded for it
  CHECK_EQ(s.ask("alice", "GET " + dialog_url("d1", a)).status, 200);
  CHECK_EQ(s.ask("bob", "GET " + dialog_url("d1", a)).status, 404);
  link_to_dialog(a, "d1");
  for (const char* user : {"alice", "bob", "service"}) {
    CHECK_EQ(s.ask(user, "GET " + dialog_url("d1", a)).status, 200);
    CHECK_EQ(s.ask(user, "HEAD " + dialog_url("d1", a)).status, 200);
    CHECK_EQ(s.ask(user, "GET " + dialog_url("d2", a)).status, 404);
  }
  CHECK_EQ(s.ask("carol", "GET " + dialog_url("d1", a)).status, 404);
  CHECK_EQ(s.ask("", "GET " + dialog_url("d1", a)).status, 401);
  CHECK_EQ(s.ask("", "GET " + dialog_url("d1", a) + link_of(s, a)).status, 200);
  CHECK_EQ(s.ask("", "GET " + dialog_url("d2", a) + link_of(s, a)).status, 404);
}

static void the_application_s_word_counts_for_the_file_it_was_asked_about() {
  Service s;
  const Attachment a = s.add();
  const Attachment b = s.add();
  const std::string first = file_url(a), second = file_url(b), id = to_string(a.id);
  const auto said = [](const std::string& about, const std::string& word = "granted") {
    return fake::Variables{{"CLOAKROOM_ACCESS", word}, {"CLOAKROOM_ACCESS_ID", about}};
  };
  CHECK_EQ(s.ask("bob", "GET " + first, "", said(id)).status, 200);
  CHECK_EQ(s.ask("bob", "GET " + second, "", said(id)).status, 404);
  CHECK_EQ(s.ask("bob", "GET " + first, "", said("")).status, 404);
  CHECK_EQ(s.ask("bob", "GET " + first, "", said(id, "denied")).status, 404);
  CHECK_EQ(s.ask("", "GET " + first, "", said(id)).status, 401);
  CHECK_EQ(s.ask("bob", "GET " + first, "",
                 {{"HTTP_X_CLOAKROOM_ACCESS", "granted"},
                  {"HTTP_CLOAKROOM_ACCESS", "granted"},
                  {"HTTP_X_ATTACHMENT_ID", id},
                  {"HTTP_CLOAKROOM_ACCESS_ID", id}})
               .status,
           404);
  Service by_token({.jwt_secret = kJwtSecret});
  const Attachment& c = by_token.add();
  fake::Variables both = said(to_string(c.id));
  both.merge(bearer(by_token, "bob"));
  CHECK_EQ(by_token.ask("", "GET " + file_url(c), "", both).status, 404);
}

static void what_is_in_quarantine_is_the_service_s_alone() {
  Service s;
  Attachment& a = s.add();
  link_to_dialog(a, "d1");
  CHECK(CHECK_OK(s.rows.quarantine(a.id)));
  for (const char* user : {"alice", "service"}) {
    CHECK_EQ(s.ask(user, "GET " + file_url(a)).status, 404);
    CHECK_EQ(s.ask(user, "POST " + token_url(a)).status, 404);
  }
  CHECK_EQ(s.ask("", "GET " + file_url(a) + link_of(s, a)).status, 404);
  CHECK_EQ(s.ask("alice", "GET " + meta_url(a)).status, 404);
  CHECK_EQ(s.ask("alice", "DELETE " + meta_url(a)).status, 404);
  CHECK_EQ(s.ask("alice", "GET /api/attachments?message_ids=m1").body, "[]");
  CHECK_EQ(member(s.ask("service", "GET " + meta_url(a)), "status"), "quarantined");
  CHECK_EQ(s.ask("service", "DELETE " + meta_url(a)).status, 204);
  CHECK(s.rows.attachments.empty());
}

static void no_address_of_a_quarantined_file_answers_without_asking_us() {
  Service s({.delivery = Delivery::kRedirect,
             .new_files = StoreKind::kS3,
             .visibility = Visibility::kPublic,
             .cdn_url = "https://cdn.example.com"});
  Attachment& a = s.add("hello", StoreKind::kS3);
  a.status = AttachmentStatus::kQuarantined;
  const Answer shown = s.ask("service", "GET " + meta_url(a));
  CHECK_EQ(member(shown, "url"), "/api/files/" + to_string(a.id) + "/x.png");
  CHECK_EQ(member(shown, "data_url"), member(shown, "url"));
  CHECK_EQ(s.ask("", "GET " + file_url(a)).status, 404);
}

int main() {
  set_log_level(Level::kError);  // one line a request would drown the report
  const CMUnitTest tests[] = {
      CASE(who_may_read_makes_a_link_and_it_opens_the_file_for_anybody),
      CASE(a_link_gives_the_bytes_and_nothing_else),
      CASE(a_bad_link_is_like_none),
      CASE(what_comes_by_a_link_is_kept_no_longer_than_it_holds),
      CASE(a_link_may_be_bound_to_an_address),
      CASE(a_link_may_be_bound_to_a_user_where_tokens_name_users),
      CASE(a_malformed_wish_is_400_for_those_who_may_read),
      CASE(without_a_secret_there_are_no_links),
      CASE(a_redirect_by_a_link_does_not_outlive_it),
      CASE(a_dialog_s_address_gives_its_own_files_alone),
      CASE(the_application_s_word_counts_for_the_file_it_was_asked_about),
      CASE(what_is_in_quarantine_is_the_service_s_alone),
      CASE(no_address_of_a_quarantined_file_answers_without_asking_us),
  };
  return RUN_TESTS("routes_links", tests);
}

// routes_external_test.cc — files that live elsewhere: who registers them, what is said of them, and who is sent there.
#include <string>

#include "check.h"
#include "fake/service.h"
#include "fake/variants.h"

using namespace cloakroom;
using fake::Answer;
using fake::file_url;
using fake::member;
using fake::meta_url;
using fake::Service;

namespace {

const std::string kUrl = "https://media.example.com/a.png?token=abc";
const std::string kRoute = "POST /api/attachments";

std::string body(const std::string& more = {}, const std::string& url = kUrl) {
  return R"({"external_url":")" + url + R"(","filename":"a.png","mime_type":"image/png")" + more + "}";
}

Attachment& elsewhere(Service& s) {
  Attachment& a = s.add();
  a.external_url = kUrl;
  a.key.clear();
  a.size_bytes = 0;
  a.sha256 = {};
  return a;
}

void check_sent_there(const Answer& answer) {
  CHECK_EQ(answer.status, 302);
  CHECK_EQ(answer.header("Location"), kUrl);
  CHECK_EQ(answer.header("Cache-Control"), "private, no-store");
  CHECK_EQ(answer.header("Referrer-Policy"), "no-referrer");
  CHECK_EQ(answer.header("ETag"), "");
  CHECK_EQ(answer.body, "");
}

}  // namespace

static void the_service_registers_a_file_and_its_addresses_lead_there() {
  Service s;
  const Answer made =
      s.ask("service", kRoute, body(R"(,"uploader_id":"alice","dialog_id":"d1","message_id":17,"account_id":"3")"));
  CHECK_EQ(made.status, 201);
  const Attachment& a = s.rows.attachments.at(0);
  CHECK_EQ(member(made, "id"), to_string(a.id));
  CHECK_EQ(member(made, "data_url"), kUrl);
  CHECK_EQ(member(made, "thumb_url"), kUrl);
  CHECK_EQ(member(made, "url"), "/api/files/" + to_string(a.id) + "/a.png");
  CHECK_EQ(made.header("Location"), member(made, "url"));
  for (const char* unknown : {"size", "file_size", "sha256", "width", "placeholder"}) {
    CHECK_EQ(member(made, unknown), "null");
  }
  CHECK_EQ(member(made, "status"), "linked");
  CHECK_EQ(member(made, "message_id"), "17");
  CHECK_EQ(member(made, "dialog_id"), "d1");
  CHECK_EQ(member(made, "account_id"), "3");
  CHECK_EQ(member(made, "uploader_id"), "alice");
  CHECK_EQ(member(made, "file_type"), "image");
  CHECK_EQ(made.body.find("\"key\""), std::string::npos);
}

static void without_a_message_it_is_an_upload_of_whom_the_service_acts_for() {
  Service s;
  const Answer made = s.ask("service", kRoute, body(), {{"HTTP_X_UPLOADER_ID", "bob"}});
  CHECK_EQ(member(made, "status"), "uploaded");
  CHECK_EQ(member(made, "uploader_id"), "bob");
  CHECK_EQ(member(s.ask("service", kRoute, body(R"(,"uploader_id":null)")), "uploader_id"), "null");
}

static void nobody_else_registers_anything() {
  Service s;
  CHECK_EQ(s.ask("alice", kRoute, body()).status, 403);
  CHECK_EQ(s.ask("", kRoute, body()).status, 401);
  CHECK(s.rows.attachments.empty());
}

static void what_is_missing_or_wrong_is_said() {
  Service s;
  const auto refused = [&](const std::string& text, const std::string& words) {
    const Answer answer = s.ask("service", kRoute, text);
    CHECK_EQ(answer.status, 400);
    CHECK_EQ(answer.header("Content-Type"), "application/problem+json");
    CHECK(member(answer, "detail").find(words) != std::string::npos);
  };
  refused("", "external_url is missing");
  refused("[]", "JSON object");
  refused(R"({"external_url":7,"filename":"a","mime_type":"image/png"})", "external_url is missing");
  refused(R"({"external_url":"https://a.example/","mime_type":"image/png"})", "filename is missing");
  refused(R"({"external_url":"https://a.example/","filename":"a"})", "mime_type is missing");
  refused(R"({"external_url":"https://a.example/","filename":"a","mime_type":"png"})", "such as image/png");
  refused(body(R"(,"message_id":"")"), "message_id");
  refused(body(R"(,"account_id":["x"])"), "account_id");
  refused(body({}, "javascript:alert(1)"), "https://");
  refused(body({}, "https://me:secret@a.example/"), "leave it out");
  refused(body({}, R"(https://a.example/\r\nX: y)"), "percent-encode");
  CHECK(s.rows.attachments.empty());
  s.rows.failures.fail(1, {Errc::kDatabase, "away", {}, true});
  CHECK_EQ(s.ask("service", kRoute, body()).status, 503);
}

static void whoever_may_read_is_sent_there_and_nobody_else() {
  Service s;
  Attachment& a = elsewhere(s);
  const std::string url = file_url(a);
  for (const char* method : {"GET ", "HEAD "}) {
    check_sent_there(s.ask("alice", method + url));
    check_sent_there(s.ask("service", method + url));
    CHECK_EQ(s.ask("carol", method + url).status, 404);
    CHECK_EQ(s.ask("", method + url).status, 401);
  }
  check_sent_there(s.ask("alice", "GET " + url + "?download=1"));
  const fake::Variables conditional{
      {"HTTP_RANGE", "bytes=0-1"}, {"HTTP_IF_NONE_MATCH", "*"}, {"HTTP_IF_MATCH", "\"x\""}};
  check_sent_there(s.ask("alice", "GET " + url, {}, conditional));
  a.dialog_id = "d1";
  check_sent_there(s.ask("alice", "GET /api/support-chat/attachments/d1/" + to_string(a.id)));
  CHECK_EQ(s.ask("alice", "GET /api/support-chat/attachments/d2/" + to_string(a.id)).status, 404);
  const std::string link =
      "?link=" +
      s.links.sign({.id = a.id, .expires = s.clock.now() + std::chrono::seconds(50), .user_id = {}, .ip = {}});
  check_sent_there(s.ask("", "GET " + url + link));
  a.status = AttachmentStatus::kQuarantined;
  CHECK_EQ(s.ask("service", "GET " + url).status, 404);
  const Answer meta = s.ask("service", "GET " + meta_url(a));
  CHECK_EQ(meta.body.find("media.example.com"), std::string::npos);
}

static void every_delivery_sends_there_alike() {
  for (const Delivery delivery : {Delivery::kProxy, Delivery::kRedirect, Delivery::kStream}) {
    Service s({.delivery = delivery, .new_files = StoreKind::kS3});
    check_sent_there(s.ask("alice", "GET " + file_url(elsewhere(s))));
    CHECK_EQ(member(s.ask("alice", "GET " + meta_url(s.rows.attachments.back())), "data_url"), kUrl);
  }
  Service open({.new_files = StoreKind::kS3,
                .visibility = Visibility::kPublic,
                .cdn_url = "https://cdn.example.com",
                .fallback = true});
  check_sent_there(open.ask("", "GET " + file_url(elsewhere(open))));
  CHECK_EQ(member(open.ask("alice", "GET " + meta_url(open.rows.attachments.back())), "data_url"), kUrl);
}

static void the_address_of_a_preview_leads_there_too() {
  Service s;
  fake::FakeVariantRows variant_rows{s.rows, &s.journal};
  fake::FakeImager imager{&s.journal};
  Variants variants({.rows = s.rows,
                     .variants = variant_rows,
                     .target = s.local,
                     .store_of = [&](StoreKind) -> BlobStore* { return &s.local; },
                     .open_local = fake::open_in(s.local),
                     .imager = imager,
                     .clock = s.clock},
                    fake::variant_rules());
  const Attachment& a = elsewhere(s);
  for (Variants* made : {static_cast<Variants*>(nullptr), &variants}) {
    s.app.variants = made;
    for (const char* method : {"GET", "HEAD"}) {
      const std::string target = method + std::string(" /api/files/") + to_string(a.id) + "/thumb/a.png";
      check_sent_there(s.ask("alice", target));
      CHECK_EQ(s.ask("carol", target).status, 404);
    }
  }
  CHECK_EQ(CHECK_OK(variants.make_all(a.id)), 0u);
  CHECK(imager.rendered.empty());
}

static void it_is_listed_linked_and_deleted_as_others_are() {
  Service s;
  const Attachment a = elsewhere(s);
  CHECK_EQ(fake::list_size(s.ask("alice", "GET /api/attachments?status=uploaded")), 1u);
  const std::string ids = R"({"message_id":"m1","attachment_ids":[")" + to_string(a.id) + "\"]}";
  CHECK_EQ(s.ask("alice", "POST /api/attachments/link", ids).status, 200);
  CHECK_EQ(fake::list_size(s.ask("alice", "GET /api/attachments?message_ids=m1")), 1u);
  CHECK_EQ(s.ask("service", "DELETE /api/messages/m1").status, 204);
  CHECK_EQ(s.ask("alice", "GET " + file_url(a)).status, 404);
}

int main() {
  const CMUnitTest tests[] = {
      CASE(the_service_registers_a_file_and_its_addresses_lead_there),
      CASE(without_a_message_it_is_an_upload_of_whom_the_service_acts_for),
      CASE(nobody_else_registers_anything),
      CASE(what_is_missing_or_wrong_is_said),
      CASE(whoever_may_read_is_sent_there_and_nobody_else),
      CASE(every_delivery_sends_there_alike),
      CASE(the_address_of_a_preview_leads_there_too),
      CASE(it_is_listed_linked_and_deleted_as_others_are),
  };
  return cmocka_run_group_tests_name("routes_external", tests, nullptr, nullptr);
}

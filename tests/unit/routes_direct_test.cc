// routes_direct_test.cc — direct uploads as a client sees them: what is read, what is answered, and what is refused.
#include <sys/mman.h>

#include <string>

#include "check.h"
#include "fake/direct.h"
#include "fake/service.h"

using namespace cloakroom;
using fake::Answer;
using fake::member;

namespace {

const std::string kNobodysId = "0198c0de-beef-7abc-89ab-0123456789ab";

struct World {
  fake::Service service{{.new_files = StoreKind::kS3}};
  fake::FakeDirectRows tickets{service.rows};
  fake::FakeDirectStore direct;
  DirectUploads uploads{
      {service.rows, tickets, service.s3, direct, service.sniffer, service.clock},
      {.keys = {}, .max_file_bytes = 100, .allowed_types = {}, .object_cache_control = {}, .orphan_grace = {}},
      {.part_bytes = 20}};
  World() { service.app.direct_uploads = &uploads; }

  Answer ask(const std::string& body) { return service.ask("alice", "POST /api/direct-uploads", body); }
  Answer post(const std::string& id, const std::string& what, const std::string& body = "",
              const std::string& user = "alice") {
    return service.ask(user, "POST /api/direct-uploads/" + id + what, body);
  }
  void write(std::string_view bytes) {
    const UniqueFd file(::memfd_create("body", MFD_CLOEXEC));
    CHECK_OK(write_all(file.get(), std::as_bytes(std::span(bytes))));
    const ObjectKey key = CHECK_OK(ObjectKey::parse(tickets.uploads.back().key));
    CHECK_OK(service.s3.memory.put(key, {file.get(), 0, bytes.size(), {}}, {}));
  }
};

}  // namespace

static void a_ticket_says_how_where_and_until_when() {
  World w;
  const Answer answer =
      w.ask(R"({"filename":"a.txt","size":5,"content_type":"Text/Plain; charset=utf-8","dialog_id":17})");
  CHECK_EQ(answer.status, 201);
  CHECK_EQ(answer.header("Cache-Control"), "no-store");
  const DirectUpload& row = w.tickets.uploads.front();
  const std::string id = to_string(row.id);
  CHECK_EQ(member(answer, "id"), id);
  CHECK_EQ(member(answer, "method"), "PUT");
  CHECK_EQ(member(answer, "url"), "https://files.example.com/quarantine/" + to_hex(row.id));
  CHECK_EQ(member(answer, "headers"), R"({"Content-Type":"x/y"})");
  CHECK_EQ(member(answer, "complete_url"), "/api/direct-uploads/" + id + "/complete");
  CHECK_EQ(member(answer, "expires_at"), "2026-01-31T10:30:00.000Z");
  CHECK_EQ(member(answer, "parts"), "(absent)");
  CHECK(row.dialog_id == "17" && row.size_bytes == 5 && row.uploader_id == "alice");
}

static void a_type_that_nobody_can_read_claims_nothing() {
  World w;
  for (const char* type : {R"("")", R"("image")", R"("a\nb/c")", "null", "7"}) {
    CHECK_EQ(w.ask(std::string(R"({"filename":"a","size":5,"content_type":)") + type + "}").status, 201);
    CHECK_EQ(w.tickets.uploads.back().declared_type, "application/octet-stream");
  }
}

static void a_malformed_wish_is_refused_and_leaves_nothing() {
  World w;
  for (const char* body : {"", "[]", "x", R"({"size":5})", R"({"filename":"","size":5})", R"({"filename":7,"size":5})",
                           R"({"filename":"a"})", R"({"filename":"a","size":-1})", R"({"filename":"a","size":"5"})",
                           R"({"filename":"a","size":5.0})", R"({"filename":"a","size":5,"sha256":"00"})",
                           R"({"filename":"a","size":5,"sha256":7})", R"({"filename":"a","size":5,"dialog_id":""})",
                           R"({"filename":"a","size":5,"dialog_id":[]})"}) {
    CHECK_EQ(w.ask(body).status, 400);
  }
  CHECK_EQ(w.ask(R"({"filename":"a","size":101})").status, 413);
  CHECK(w.tickets.uploads.empty());
}

static void completing_gives_the_attachment_and_then_the_same_again() {
  World w;
  const std::string hash = hex_encode(sha256("hello"));
  const std::string id = member(w.ask(R"({"filename":"a.txt","size":5,"sha256":")" + hash + "\"}"), "id");
  CHECK_EQ(w.post(id, "/complete").status, 409);
  w.write("hello");
  const Answer made = w.post(id, "/complete");
  CHECK_EQ(made.status, 201);
  CHECK_EQ(member(made, "sha256"), hash);
  CHECK_EQ(made.header("Location"), "/api/attachments/" + member(made, "id"));
  const Answer again = w.post(id, "/complete", "{}");
  CHECK_EQ(again.status, 200);
  CHECK_EQ(again.body, made.body);
}

static void a_large_file_has_parts() {
  World w;
  const Answer answer = w.ask(R"({"filename":"a.txt","size":25})");
  const std::string id = member(answer, "id");
  CHECK_EQ(member(answer, "url"), "(absent)");
  CHECK_EQ(member(answer, "parts"), R"({"part_size":20,"count":2,"url":"/api/direct-uploads/)" + id + R"(/parts"})");
  const Answer parts = w.post(id, "/parts", R"({"part_numbers":[2]})");
  CHECK_EQ(parts.status, 200);
  const std::string url = "https://files.example.com/" + w.tickets.uploads.front().key + "?n=2&size=5";
  CHECK_EQ(member(parts, "parts"), R"([{"part_number":2,"method":"PUT","url":")" + url + R"(","headers":{}}])");
  for (const char* body : {"{}", R"({"part_numbers":[]})", R"({"part_numbers":1})", R"({"part_numbers":["1"]})",
                           R"({"part_numbers":[0]})", R"({"part_numbers":[3]})", R"({"part_numbers":[-1]})"}) {
    CHECK_EQ(w.post(id, "/parts", body).status, 400);
  }
  std::string many = R"({"part_numbers":[1)";
  for (int i = 0; i < 100; ++i) many += ",1";
  CHECK_EQ(w.post(id, "/parts", many + "]}").status, 400);
  w.write(std::string(25, 'x'));
  for (const char* body : {R"({"parts":[{"part_number":1}]})", R"({"parts":[{"part_number":"1","etag":"a"}]})",
                           R"({"parts":[{"part_number":0,"etag":"a"}]})", R"({"parts":[{"part_number":1,"etag":""}]})",
                           R"({"parts":[{"part_number":1,"etag":"a\r\nb"}]})", R"({"parts":[7]})"}) {
    CHECK_EQ(w.post(id, "/complete", body).status, 400);
  }
  CHECK_EQ(w.post(id, "/complete").status, 409);
  CHECK_EQ(w.post(id, "/complete", R"({"parts":[{"part_number":1,"etag":"a"},{"part_number":2,"etag":"b"}]})").status,
           201);
}

static void other_peoples_and_impossible_tickets_are_the_same_404() {
  World w;
  const std::string id = member(w.ask(R"({"filename":"a.txt","size":5})"), "id");
  const std::string wanted = w.post(kNobodysId, "/complete").body;
  for (const auto& [ticket, user] :
       {std::pair(id, "bob"), std::pair(id, "service"), std::pair(std::string("17"), "alice")}) {
    const Answer answer = w.post(ticket, "/complete", "", user);
    CHECK_EQ(answer.status, 404);
    CHECK_EQ(answer.body, wanted);
    CHECK_EQ(w.post(ticket, "/parts", R"({"part_numbers":[1]})", user).body, wanted);
  }
  CHECK_EQ(w.post(id, "/complete", "", "").status, 401);
}

static void without_an_s3_store_there_are_no_tickets() {
  fake::Service local;
  for (const char* target :
       {"POST /api/direct-uploads", "POST /api/direct-uploads/x/parts", "POST /api/direct-uploads/x/complete"}) {
    const Answer answer = local.ask("alice", target, "{}");
    CHECK_EQ(answer.status, 409);
    CHECK(member(answer, "detail").find("S3 store") != std::string::npos);
  }
}

int main() {
  const CMUnitTest tests[] = {
      CASE(a_ticket_says_how_where_and_until_when),
      CASE(a_type_that_nobody_can_read_claims_nothing),
      CASE(a_malformed_wish_is_refused_and_leaves_nothing),
      CASE(completing_gives_the_attachment_and_then_the_same_again),
      CASE(a_large_file_has_parts),
      CASE(other_peoples_and_impossible_tickets_are_the_same_404),
      CASE(without_an_s3_store_there_are_no_tickets),
  };
  return RUN_TESTS("routes_direct", tests);
}

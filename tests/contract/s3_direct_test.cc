// s3_direct_test.cc — direct uploads on a real S3 store, from the ticket over the browser's bytes to the attachment.
//
// Needs    runs when S3_ENDPOINT, S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY are set; S3_NO_FORMS: the store takes none.
#include <cstdlib>

#include "domain/direct_upload.h"
#include "fake/direct.h"
#include "fake/sniffer.h"
#include "storage/s3.h"
#include "storage/s3_direct.h"
#include "store_suite.h"

using namespace cloakroom;         // NOLINT: a test
using namespace cloakroom::suite;  // NOLINT: a test

namespace {

struct SystemClock final : Clock {
  TimePoint now() const override { return system_now(); }
};
const SystemClock kClock;
const Caller kAlice{Caller::Kind::kUser, "alice"};

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

S3Store& store() {
  static const std::unique_ptr<S3Store> one = [] {
    S3Options o;
    o.endpoint = environment("S3_ENDPOINT");
    o.region = environment("S3_REGION");
    o.bucket = "direct-" + random_hex(6);
    o.access_key_id = environment("S3_ACCESS_KEY_ID");
    o.secret_access_key = environment("S3_SECRET_ACCESS_KEY");
    auto made = CHECK_OK(S3Store::make(o, kClock));
    CHECK_OK(made->prepare());
    return made;
  }();
  return *one;
}

struct World {
  fake::FakeRows rows;
  fake::FakeDirectRows tickets{rows};
  fake::FakeSniffer sniffer;
  S3DirectStore direct;
  DirectUploads uploads{{rows, tickets, store(), direct, sniffer, kClock},
                        {.keys = {"pre/", KeyNaming::kFolder},
                         .max_file_bytes = 1U << 30,
                         .allowed_types = {},
                         .object_cache_control = "private",
                         .orphan_grace = std::chrono::seconds(600),
                         .stored_headers = [](const Attachment& a) -> StoredHeaders {
                           return {a.mime_type, "inline; filename=\"" + a.filename + "\""};
                         }},
                        {.expires = std::chrono::seconds(300), .part_bytes = 5U << 20}};
  explicit World(DirectMethod method = DirectMethod::kPut) : direct(store().client(), method) {}

  DirectTicket ask(const std::string& bytes) {
    return CHECK_OK(uploads.open({.caller = kAlice,
                                  .dialog_id = {},
                                  .filename = "a.txt",
                                  .content_type = "text/plain",
                                  .size_bytes = bytes.size(),
                                  .sha256 = sha256(bytes)}));
  }
  std::string key() const { return tickets.uploads.back().key; }
  // What becomes of it, with the headers of its own.
  void check_completes(const DirectTicket& ticket, const std::string& bytes, const std::vector<UploadedPart>& parts) {
    const Completed done = CHECK_OK(uploads.complete(kAlice, ticket.id, parts));
    CHECK(done.is_new && done.attachment.sha256 == sha256(bytes));
    const HttpAnswer head = head_of(done.attachment.key);
    CHECK_EQ(head.header("content-type"), "text/plain");
    CHECK_EQ(head.header("content-disposition"), "inline; filename=\"a.txt\"");
    check_bytes(get_range(store(), key_of(done.attachment.key), {0, bytes.size()}), bytes);
    CHECK(!CHECK_OK(uploads.complete(kAlice, ticket.id, parts)).is_new);
  }
  static HttpAnswer head_of(const std::string& object) {
    return CHECK_OK(store().client().call({.method = "HEAD", .key = object}));
  }
};

// As a browser: no signing, no header of ours but those given.
HttpAnswer send(const BrowserRequest& request, std::string_view bytes) {
  HttpCall call;
  std::string form;
  call.url = request.url;
  call.method = request.method;
  for (const auto& [name, value] : request.headers) call.headers.push_back({name, value});
  if (request.method == "POST") {
    for (const auto& [name, value] : request.fields) {
      form.append("--XX\r\nContent-Disposition: form-data; name=\"").append(name).append("\"\r\n\r\n").append(value);
      form.append("\r\n");
    }
    form.append("--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x\"\r\n\r\n").append(bytes);
    form.append("\r\n--XX--\r\n");
    call.headers.push_back({"Content-Type", "multipart/form-data; boundary=XX"});
    bytes = form;
  }
  call.text = bytes;
  return CHECK_OK(CurlClient({}).perform(call));
}

void check_refused(const HttpAnswer& answer) {
  if (answer.status != 400 && answer.status != 403) {
    t::raise(__FILE__, __LINE__, "wanted a refusal, got " + std::to_string(answer.status) + "\n" + answer.body);
  }
}

void check_harmless(const HttpAnswer& object) {
  CHECK_EQ(object.header("content-type"), "application/octet-stream");
  CHECK_EQ(object.header("content-disposition"), "attachment");
}

void a_put_becomes_an_attachment() {
  World w;
  const std::string bytes = pattern(70000);
  const DirectTicket ticket = w.ask(bytes);
  CHECK_ERR(w.uploads.complete(kAlice, ticket.id, {}), Errc::kConflict);
  CHECK_EQ(send(ticket.request, bytes).status, 200);
  check_harmless(World::head_of(w.key()));
  w.check_completes(ticket, bytes, {});
}

void an_empty_put_becomes_one_too() {
  World w;
  const DirectTicket ticket = w.ask("");
  CHECK_EQ(send(ticket.request, "").status, 200);
  w.check_completes(ticket, "", {});
}

void a_put_of_another_size_or_with_other_headers_is_refused() {
  World w;
  const DirectTicket ticket = w.ask("hello");
  check_refused(send(ticket.request, "hello!"));
  for (std::size_t i = 0; i < ticket.request.headers.size(); ++i) {
    BrowserRequest changed = ticket.request;
    changed.headers[i].second = i == 0 ? "text/html" : "inline";
    check_refused(send(changed, "hello"));
  }
  CHECK_EQ(World::head_of(w.key()).status, 404);
}

void a_form_becomes_an_attachment() {
  World w(DirectMethod::kPost);
  const std::string bytes = pattern(70000);
  const DirectTicket ticket = w.ask(bytes);
  const HttpAnswer sent = send(ticket.request, bytes);
  if (!environment("S3_NO_FORMS").empty()) {  // then its profile must not promise them
    CHECK(sent.status >= 400 && sent.status < 500);
    return;
  }
  CHECK_EQ(sent.status, 201);
  CHECK_EQ(World::head_of(w.key()).header("content-type"), "application/octet-stream");
  w.check_completes(ticket, bytes, {});
}

void parts_become_an_attachment() {
  World w;
  const std::string bytes = pattern((10U << 20) + 77);
  const DirectTicket ticket = w.ask(bytes);
  CHECK_EQ(ticket.part_count, 3u);
  const auto requests = CHECK_OK(w.uploads.sign_parts(kAlice, ticket.id, std::vector<unsigned>{3, 1, 2}));
  check_refused(send(requests[0], "another size"));
  std::vector<UploadedPart> parts;
  for (const unsigned number : {3U, 1U, 2U}) {
    const std::string part = bytes.substr((number - 1) * ticket.part_bytes, ticket.part_bytes);
    const HttpAnswer answer = send(requests[parts.size()], part);
    CHECK_EQ(answer.status, 200);
    parts.push_back({number, std::string(answer.header("etag"))});
  }
  std::vector<UploadedPart> wrong = parts;
  wrong[1].etag = "\"0123456789abcdef0123456789abcdef\"";
  CHECK_ERR(w.uploads.complete(kAlice, ticket.id, wrong), Errc::kConflict);
  const ObjectKey key = key_of(w.key());
  CHECK_OK(w.direct.finish_parts({key, *w.tickets.uploads.back().upload_id}, parts, bytes.size()));
  check_harmless(World::head_of(w.key()));
  w.check_completes(ticket, bytes, parts);  // which finishes once more, as after a lost answer
}

void parts_can_be_given_up() {
  World w;
  const DirectTicket ticket = w.ask(pattern(6U << 20));
  const auto requests = CHECK_OK(w.uploads.sign_parts(kAlice, ticket.id, std::vector<unsigned>{2}));
  CHECK_EQ(send(requests[0], pattern(6U << 20).substr(5U << 20)).status, 200);
  const ObjectKey key = key_of(w.key());
  CHECK_OK(w.direct.abort_parts({key, *w.tickets.uploads.back().upload_id}));
  CHECK_OK(w.direct.abort_parts({key, *w.tickets.uploads.back().upload_id}));
  CHECK_EQ(World::head_of(w.key()).status, 404);
}

}  // namespace

int main() {
  if (environment("S3_ENDPOINT").empty()) {
    std::printf("1..0 # SKIP S3_ENDPOINT is not set\n");
    return 0;
  }
  const CMUnitTest tests[] = {
      CASE(a_put_becomes_an_attachment),
      CASE(an_empty_put_becomes_one_too),
      CASE(a_put_of_another_size_or_with_other_headers_is_refused),
      CASE(a_form_becomes_an_attachment),
      CASE(parts_become_an_attachment),
      CASE(parts_can_be_given_up),
  };
  return RUN_TESTS("contract_s3_direct", tests);
}

// s3_direct_wire_test.cc — what browsers are given to send, and what refusals of a list of parts mean.
#include "storage/s3_direct.h"

#include <memory>
#include <string>

#include "scripted_server.h"
#include "storage/s3_copy.h"
#include "store_suite.h"

using namespace cloakroom;         // NOLINT: a test
using namespace cloakroom::suite;  // NOLINT: a test

namespace {

struct FixedClock final : Clock {
  TimePoint now() const override { return TimePoint(std::chrono::seconds(1440938160)); }
};
const FixedClock kClock;

struct Wire {
  ScriptedServer server;
  std::string silences;  // "()" for each
  std::unique_ptr<S3Client> client;
  ObjectKey key = key_of("quarantine/a b");
  DirectObject object{key, 123};

  explicit Wire(std::vector<Reply> replies = {}) : server(std::move(replies)) {
    S3Options o;
    o.endpoint = server.endpoint();
    o.public_endpoint = "https://files.example.com";
    o.bucket = "files";
    o.access_key_id = "AKID";
    o.secret_access_key = "secret";
    o.on_silence = [this](bool is_so) { silences += is_so ? "(" : ")"; };
    client = CHECK_OK(S3Client::make(o, kClock));
  }
  Status finish() {
    const std::vector<UploadedPart> parts{{2, "\"b\""}, {1, "\"a\""}};
    return S3DirectStore(*client, DirectMethod::kPut).finish_parts({key, "id/+"}, parts, 123);
  }
};

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::string refusal(const std::string& code) {
  return answer("400 Bad Request", "", "<Error><Code>" + code + "</Code></Error>");
}

void a_put_binds_length_and_harmless_headers_at_the_public_endpoint() {
  Wire w;
  const auto put =
      CHECK_OK(S3DirectStore(*w.client, DirectMethod::kPut).sign_upload(w.object, std::chrono::seconds(60)));
  CHECK(put.method == "PUT" && put.fields.empty());
  CHECK(put.url.starts_with("https://files.example.com/files/quarantine/a%20b?"));
  CHECK(has(put.url, "X-Amz-Expires=60&") &&
        has(put.url, "X-Amz-SignedHeaders=content-disposition%3Bcontent-length%3Bcontent-type%3Bhost"));
  // a browser sets the length itself, and lets nobody else
  const std::vector<std::pair<std::string, std::string>> wanted{{"Content-Type", "application/octet-stream"},
                                                                {"Content-Disposition", "attachment"}};
  CHECK(put.headers == wanted);
}

void another_size_is_another_signature() {
  Wire w;
  S3DirectStore store(*w.client, DirectMethod::kPut);
  const auto signature = [&](const DirectObject& object) {
    const std::string url = CHECK_OK(store.sign_upload(object, std::chrono::seconds(60))).url;
    return url.substr(url.find("X-Amz-Signature="));
  };
  CHECK(signature(w.object) != signature({w.key, 124}));
}

void a_form_fixes_key_and_harmless_headers() {
  Wire w;
  const auto post =
      CHECK_OK(S3DirectStore(*w.client, DirectMethod::kPost).sign_upload(w.object, std::chrono::seconds(60)));
  CHECK(post.method == "POST" && post.headers.empty());
  CHECK_EQ(post.url, "https://files.example.com/files");
  const auto field = [&](const std::string& name) {
    for (const auto& [field_name, value] : post.fields) {
      if (ascii_lower(field_name) == name) return value;
    }
    return std::string("(absent)");
  };
  CHECK_EQ(field("key"), "quarantine/a b");
  CHECK_EQ(field("content-type"), "application/octet-stream");
  CHECK_EQ(field("content-disposition"), "attachment");
  CHECK(field("policy") != "(absent)" && field("x-amz-signature") != "(absent)");
}

void a_part_binds_its_number_upload_and_length() {
  Wire w;
  const auto part = CHECK_OK(
      S3DirectStore(*w.client, DirectMethod::kPost).sign_part({w.key, "id/+"}, {3, 5}, std::chrono::seconds(60)));
  CHECK(part.method == "PUT" && part.headers.empty());
  CHECK(has(part.url, "partNumber=3") && has(part.url, "uploadId=id%2F%2B"));
  CHECK(has(part.url, "X-Amz-SignedHeaders=content-length%3Bhost"));
}

void parts_are_begun_with_harmless_headers_and_finished_in_order() {
  Wire w(
      {answer("200 OK", "", "<InitiateMultipartUploadResult><UploadId>id/+</UploadId></InitiateMultipartUploadResult>"),
       answer("200 OK", "", "<CompleteMultipartUploadResult/>")});
  CHECK_EQ(CHECK_OK(S3DirectStore(*w.client, DirectMethod::kPut).begin_parts(w.object)), "id/+");
  CHECK(w.server.request_has(0, "\r\nContent-Type: application/octet-stream\r\n"));
  CHECK(w.server.request_has(0, "\r\nContent-Disposition: attachment\r\n"));
  CHECK(w.server.request_has(0, "SignedHeaders=content-disposition;content-type;host;"));
  CHECK_EQ(w.silences, "");
  CHECK_OK(w.finish());
  CHECK_EQ(w.silences, "()");  // a store may put many parts together before it says a word
  const std::string request = w.server.request(1);
  CHECK(request.find("<PartNumber>1<") < request.find("<PartNumber>2<"));
}

// Of the object that is copied, which is looked at first.
const Reply kHead("HTTP/1.1 200 OK\r\nContent-Length: 123\r\n\r\n");

void a_copy_is_silent_by_nature_and_an_abort_is_not() {
  Wire w({kHead, answer("200 OK", "", "<CopyObjectResult/>"), answer("204 No Content", "", "")});
  CHECK_OK(copy_object(*w.client, w.key, key_of("final"), {}));
  CHECK_EQ(w.silences, "()");
  CHECK_OK(S3DirectStore(*w.client, DirectMethod::kPut).abort_parts({w.key, "id"}));
  CHECK_EQ(w.silences, "()");
}

void a_silence_ends_with_a_store_that_hangs_up() {
  Wire w({kHead, Reply("")});
  CHECK_ERR(copy_object(*w.client, w.key, key_of("final"), {}), Errc::kStore);
  CHECK_EQ(w.silences, "()");
}

void parts_that_the_store_has_not_got_are_the_clients_to_mend() {
  for (const char* code : {"InvalidPart", "InvalidPartOrder", "EntityTooSmall"}) {
    Wire w({refusal(code)});
    const Status done = w.finish();
    CHECK(!done && done.error().code == Errc::kConflict && !done.error().say.empty());
    CHECK(has(done.error().detail, code));
  }
}

void a_store_that_is_away_is_not_the_clients_fault() {
  Wire w({answer("503 Service Unavailable", "", "<Error><Code>SlowDown</Code></Error>")});
  const Status done = w.finish();
  CHECK(!done && done.error().code == Errc::kStore && done.error().retryable);
}

void an_upload_that_is_gone_is_aborted_already() {
  Wire w({answer("404 Not Found", "", "<Error><Code>NoSuchUpload</Code></Error>"),
          answer("403 Forbidden", "", "<Error><Code>AccessDenied</Code></Error>")});
  S3DirectStore store(*w.client, DirectMethod::kPut);
  CHECK_OK(store.abort_parts({w.key, "id"}));
  CHECK_ERR(store.abort_parts({w.key, "id"}), Errc::kStore);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      CASE(a_put_binds_length_and_harmless_headers_at_the_public_endpoint),
      CASE(another_size_is_another_signature),
      CASE(a_form_fixes_key_and_harmless_headers),
      CASE(a_part_binds_its_number_upload_and_length),
      CASE(parts_are_begun_with_harmless_headers_and_finished_in_order),
      CASE(a_copy_is_silent_by_nature_and_an_abort_is_not),
      CASE(a_silence_ends_with_a_store_that_hangs_up),
      CASE(parts_that_the_store_has_not_got_are_the_clients_to_mend),
      CASE(a_store_that_is_away_is_not_the_clients_fault),
      CASE(an_upload_that_is_gone_is_aborted_already),
  };
  return RUN_TESTS("s3_direct_wire", tests);
}

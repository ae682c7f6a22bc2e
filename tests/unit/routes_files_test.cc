// routes_files_test.cc — bytes in and out through the routes: uploads, and what each delivery, condition and range
// answers.
#include <string>

#include "base/limits.h"
#include "base/log.h"
#include "check.h"
#include "fake/service.h"

using namespace cloakroom;
using fake::Answer;
using fake::FakeExchange;
using fake::file_url;
using fake::list_size;
using fake::member;
using fake::meta_url;
using fake::Service;
using fake::Variables;

namespace {

Variables form(std::string body_boundary = "b") {
  return {{"CONTENT_TYPE", "multipart/form-data; boundary=" + body_boundary}};
}
std::string part(const std::string& disposition, const std::string& bytes) {
  return "--b\r\nContent-Disposition: form-data; " + disposition + "\r\n\r\n" + bytes + "\r\n";
}
std::string file_part(const std::string& filename, const std::string& bytes) {
  return part("name=\"f\"; filename=\"" + filename + "\"", bytes);
}

Service& streaming() {
  static Service s({.delivery = Delivery::kStream});
  return s;
}

}  // namespace

static void a_form_becomes_a_list_in_the_order_sent() {
  Service s;
  const std::string body =
      file_part("one.txt", "1") + part("name=\"dialog_id\"", "d1") + file_part("two", "") + "--b--";
  const Answer answer = s.ask("alice", "POST /api/upload", body, form());
  CHECK_EQ(answer.status, 201);
  CHECK_EQ(list_size(answer), 2u);
  CHECK(answer.body.find("one.txt") < answer.body.find("\"two\""));
  CHECK_EQ(s.rows.attachments.size(), 2u);
  for (const Attachment& a : s.rows.attachments) CHECK(a.dialog_id == "d1" && a.uploader_id == "alice");
}

static void a_form_that_cannot_be_taken_leaves_nothing() {
  Service s;
  const std::string too_big = file_part("big", std::string(101, 'x'));
  const struct {
    std::string body;
    int status;
  } forms[] = {{file_part("fits", "1") + too_big + "--b--", 413},
               {file_part("cut", "1"), 400},
               {part("name=\"dialog_id\"", "d1") + "--b--", 400},
               {"--b--", 400},
               {part("name=\"dialog_id\"", "a\x01") + file_part("f", "1") + "--b--", 400},
               {std::string(1001, 'x'), 413}};
  for (const auto& [body, status] : forms) CHECK_EQ(s.ask("alice", "POST /api/upload", body, form()).status, status);
  CHECK_EQ(s.ask("alice", "POST /api/upload", "x", {{"CONTENT_TYPE", "text/plain"}}).status, 415);
  CHECK_EQ(s.ask("alice", "POST /api/upload", "", form()).status, 411);
  CHECK(s.journal.empty());
}

static void a_raw_body_becomes_one_attachment() {
  Service s;
  const Answer answer = s.ask("alice", "PUT /api/upload/%C3%9C%20x.txt?dialog_id=d%201", "hello");
  CHECK_EQ(answer.status, 201);
  CHECK_EQ(member(answer, "filename"), "\xC3\x9C x.txt");
  CHECK_EQ(member(answer, "dialog_id"), "d 1");
  CHECK_EQ(answer.header("Location"), "/api/attachments/" + member(answer, "id"));
  CHECK_EQ(s.ask("alice", "GET " + answer.header("Location")).status, 200);
}

static void a_raw_body_too_large_is_refused_before_it_is_read() {
  Service s;
  FakeExchange exchange;
  exchange.variables = {
      {"REQUEST_METHOD", "PUT"}, {"REQUEST_URI", "/api/upload/x"}, {"REMOTE_USER", "alice"}, {"CONTENT_LENGTH", "101"}};
  exchange.client_gone = true;  // reading would be a 400
  CHECK_EQ(s.serve(exchange).status, 413);
}

static void a_store_that_fails_during_an_upload_is_a_502_and_a_full_disk_a_507() {
  Service s;
  s.local.failures.fail(1, {Errc::kStore, "away"});
  CHECK_EQ(s.ask("alice", "PUT /api/upload/x", "hello").status, 502);
  s.local.failures.fail(1, {Errc::kDiskFull, "full"});
  CHECK_EQ(s.ask("alice", "PUT /api/upload/x", "hello").status, 507);
  CHECK(s.rows.attachments.empty());
}

static void nginx_may_ask_who_uploads_before_it_takes_the_body() {
  Service s;
  CHECK_EQ(s.ask("alice", "GET /_cloakroom/may-upload").status, 204);
  CHECK_EQ(s.ask("", "GET /_cloakroom/may-upload").status, 401);
  CHECK_EQ(s.ask("alice", "GET /api/_cloakroom/may-upload").status, 404);
}

static void a_local_file_is_handed_to_nginx_with_all_its_headers() {
  Service s;
  const Attachment& a = s.add();
  const Answer answer = s.ask("alice", "GET " + file_url(a));
  CHECK_EQ(answer.status, 200);
  CHECK_EQ(answer.header("X-Accel-Redirect"), "/_cloakroom/test/file/" + a.key);
  CHECK_EQ(answer.header("Content-Type"), "image/png");
  CHECK_EQ(answer.header("X-Cloakroom-Disposition"), "inline; filename=\"x.png\"");
  CHECK_EQ(answer.header("X-Cloakroom-Cache-Control"), "private, max-age=60");
  // nginx would keep these two on the 404 of a file that is lost
  CHECK_EQ(answer.header("Content-Disposition"), "");
  CHECK_EQ(answer.header("Cache-Control"), "");
  CHECK_EQ(answer.header("ETag"), "\"" + hex_encode(a.sha256).substr(0, 32) + "\"");
  CHECK_EQ(answer.header("Last-Modified"), "Sat, 31 Jan 2026 09:30:00 GMT");
  CHECK(answer.header("Content-Security-Policy").find("default-src 'none'") != std::string::npos);
  CHECK(answer.header("Content-Security-Policy").find("sandbox") != std::string::npos);
  CHECK_EQ(answer.header("X-Content-Type-Options"), "nosniff");
  CHECK_EQ(answer.body, "");
}

// The job that moves a kept file may come between our look at the row and nginx's at the file.
static void a_file_that_was_moved_since_its_row_was_read_is_found_by_a_second_look() {
  Service s({.new_files = StoreKind::kS3, .fallback = true});
  Attachment& a = s.add("kept");
  const std::string kept = a.key;
  int looks = 0;
  s.rows.before_find = [&] {
    if (++looks == 1) CHECK_OK(s.local.memory.remove(CHECK_OK(ObjectKey::parse(kept))));
    if (looks == 2) a.store = StoreKind::kS3, a.key = "moved";
  };
  CHECK_EQ(s.ask("alice", "GET " + file_url(a)).header("X-Accel-Redirect"), "/_cloakroom/test/s3");
  CHECK_EQ(looks, 2);
  // lost for good: one more look and no more
  Attachment& b = s.add("lost");
  CHECK_OK(s.local.memory.remove(CHECK_OK(ObjectKey::parse(b.key))));
  looks = 10;
  CHECK_EQ(s.ask("alice", "GET " + file_url(b)).header("X-Accel-Redirect"), "/_cloakroom/test/file/" + b.key);
  CHECK_EQ(looks, 12);
}

static void a_key_is_percent_encoded_once_for_nginx() {
  Service s;
  s.add().key = "dir/a b%2F\xC3\xBC?#;.jpg";
  const Answer answer = s.ask("alice", "GET " + file_url(s.rows.attachments[0]));
  CHECK_EQ(answer.header("X-Accel-Redirect"), "/_cloakroom/test/file/dir/a%20b%252F%C3%BC%3F%23%3B.jpg");
}

static void a_hostile_key_or_name_cannot_add_a_header() {
  Service s;
  Attachment& a = s.add();
  a.filename = "x\r\nSet-Cookie: a=1\r\n\r\n<script>.png";
  const Answer named = s.ask("alice", "GET " + file_url(a));
  CHECK_EQ(named.status, 200);
  CHECK_EQ(named.header("Set-Cookie"), "");
  CHECK_EQ(named.body, "");
  a.filename = "x";
  a.mime_type = "text/html\r\nSet-Cookie: a=1";
  const Answer typed = s.ask("alice", "GET " + file_url(a));
  CHECK_EQ(typed.status, 500);
  CHECK_EQ(typed.header("Set-Cookie"), "");
  a.mime_type = "text/html";
  a.key = "k\r\nSet-Cookie: a=1";
  const Answer keyed = s.ask("alice", "GET " + file_url(a));
  CHECK_EQ(keyed.status, 500);
  CHECK_EQ(keyed.header("X-Accel-Redirect"), "");
  CHECK_EQ(keyed.header("Set-Cookie"), "");
}

static void what_a_browser_might_run_is_saved_and_not_shown() {
  Service s;
  Attachment& a = s.add();
  for (const char* type : {"text/html", "image/svg+xml", "application/pdf", "text/xml"}) {
    a.mime_type = type;
    CHECK(s.ask("alice", "GET " + file_url(a)).header("X-Cloakroom-Disposition").starts_with("attachment"));
  }
  a.mime_type = "image/png";
  CHECK(
      s.ask("alice", "GET " + file_url(a) + "?download=1").header("X-Cloakroom-Disposition").starts_with("attachment"));
  a.mime_type = "text/plain";
  CHECK_EQ(s.ask("alice", "GET " + file_url(a)).header("Content-Type"), "text/plain");  // nginx adds the charset
}

static void s3_files_go_through_nginx_with_the_signed_target_in_a_header() {
  Service s;
  Attachment& a = s.add("hello", StoreKind::kS3);
  const Answer answer = s.ask("alice", "GET " + file_url(a));
  CHECK_EQ(answer.header("X-Accel-Redirect"), "/_cloakroom/test/s3");
  CHECK_EQ(answer.header("X-Cloakroom-Cache-Key"), "test/" + a.key);
  CHECK_EQ(answer.header("X-Cloakroom-Target"), "/bucket/" + a.key + "?X-Amz-Signature=f00d");
  a.size_bytes = (16u << 20) + 1;
  CHECK_EQ(s.ask("alice", "GET " + file_url(a)).header("X-Accel-Redirect"), "/_cloakroom/test/s3-sliced");
  const Answer head = s.ask("alice", "HEAD " + file_url(a));
  CHECK_EQ(head.header("X-Accel-Redirect"), "");
  CHECK_EQ(head.header("Content-Length"), std::to_string(a.size_bytes));
}

static void with_temporary_credentials_a_large_object_is_asked_for_once_with_the_range_that_was_read() {
  Service s;
  s.presigner.temporary = true;
  Attachment& a = s.add("hello", StoreKind::kS3);
  CHECK_EQ(s.ask("alice", "GET " + file_url(a)).header("X-Accel-Redirect"), "/_cloakroom/test/s3");
  a.size_bytes = 40u << 20;
  const Answer whole = s.ask("alice", "GET " + file_url(a));
  CHECK_EQ(whole.header("X-Accel-Redirect"), "/_cloakroom/test/s3-once");
  CHECK_EQ(whole.header("X-Cloakroom-Range"), "");
  const auto range_for = [&](const char* asked) {
    return s.ask("alice", "GET " + file_url(a), {}, {{"HTTP_RANGE", asked}}).header("X-Cloakroom-Range");
  };
  CHECK_EQ(range_for("bytes=5-9"), "bytes=5-9");
  CHECK_EQ(range_for("bytes=-7"), "bytes=41943033-41943039");
  CHECK_EQ(range_for("bytes=1000-"), "bytes=1000-41943039");
  CHECK_EQ(range_for("bytes=0-8388608,9000000-18000000"), "");  // the whole is what comes
  CHECK_EQ(range_for("lines=1-2"), "");
}

static void a_redirect_stays_out_of_caches_and_referers() {
  Service s({.delivery = Delivery::kRedirect, .new_files = StoreKind::kS3});
  const Attachment& a = s.add("hello", StoreKind::kS3);
  const Answer answer = s.ask("alice", "GET " + file_url(a));
  CHECK_EQ(answer.status, 302);
  CHECK_EQ(answer.header("Location"), "https://files.example.com/bucket/" + a.key + "?X-Amz-Signature=f00d");
  CHECK_EQ(answer.header("Cache-Control"), "private, no-store");
  CHECK_EQ(answer.header("Referrer-Policy"), "no-referrer");
  CHECK_EQ(answer.header("ETag"), "");
  s.presigner.query = "a\r\nSet-Cookie: a=1";
  CHECK_EQ(s.ask("alice", "GET " + file_url(a)).status, 500);
}

static void an_empty_file_is_answered_by_the_worker() {
  Service s;
  const Attachment& a = s.add("");
  const Answer answer = s.ask("alice", "GET " + file_url(a));
  CHECK_EQ(answer.status, 200);
  CHECK_EQ(answer.header("X-Accel-Redirect"), "");
  CHECK_EQ(answer.header("Content-Length"), "0");
  CHECK_EQ(s.ask("alice", "GET " + file_url(a), "", {{"HTTP_RANGE", "bytes=0-"}}).status, 416);
}

static void a_client_that_has_the_file_gets_a_304() {
  Service s;
  const Attachment& a = s.add();
  const std::string etag = s.ask("alice", "GET " + file_url(a)).header("ETag");
  for (const Variables& condition : {Variables{{"HTTP_IF_NONE_MATCH", etag}}, Variables{{"HTTP_IF_NONE_MATCH", "*"}},
                                     Variables{{"HTTP_IF_MODIFIED_SINCE", "Sat, 31 Jan 2026 09:30:00 GMT"}}}) {
    const Answer answer = s.ask("alice", "GET " + file_url(a), "", condition);
    CHECK_EQ(answer.status, 304);
    CHECK_EQ(answer.header("ETag"), etag);
    CHECK_EQ(answer.header("Cache-Control"), "private, max-age=60");
    CHECK_EQ(answer.header("X-Accel-Redirect"), "");
  }
  CHECK_EQ(s.ask("alice", "GET " + file_url(a), "", {{"HTTP_IF_NONE_MATCH", "\"other\""}}).status, 200);
  CHECK_EQ(s.ask("bob", "GET " + file_url(a), "", {{"HTTP_IF_NONE_MATCH", etag}}).status, 404);
}

static void a_condition_that_fails_is_a_412() {
  Service s;
  const Attachment& a = s.add();
  CHECK_EQ(s.ask("alice", "GET " + file_url(a), "", {{"HTTP_IF_MATCH", "\"other\""}}).status, 412);
  const Variables old{{"HTTP_IF_UNMODIFIED_SINCE", "Sat, 31 Jan 2026 09:29:59 GMT"}};
  CHECK_EQ(s.ask("alice", "HEAD " + file_url(a), "", old).status, 412);
}

static void a_condition_that_holds_is_answered_by_the_worker_itself() {
  Service s;
  const Attachment& a = s.add();
  const Answer answer = s.ask("alice", "GET " + file_url(a), "", {{"HTTP_IF_MATCH", "*"}, {"HTTP_RANGE", "bytes=1-2"}});
  CHECK_EQ(answer.status, 206);
  CHECK_EQ(answer.header("X-Accel-Redirect"), "");
  CHECK_EQ(answer.body, "el");
}

static void a_range_beyond_the_end_is_a_416_with_the_size() {
  Service s;
  const Attachment& a = s.add();
  const Answer answer = s.ask("alice", "GET " + file_url(a), "", {{"HTTP_RANGE", "bytes=5-"}});
  CHECK_EQ(answer.status, 416);
  CHECK_EQ(answer.header("Content-Range"), "bytes */5");
  CHECK_EQ(answer.header("X-Accel-Redirect"), "");
  CHECK_EQ(s.ask("alice", "HEAD " + file_url(a), "", {{"HTTP_RANGE", "bytes=5-"}}).status, 200);
}

static void a_stream_sends_the_whole_one_range_or_several() {
  Service& s = streaming();
  const Attachment& a = s.add();
  const auto get = [&](const Variables& more) { return s.ask("alice", "GET " + file_url(a), "", more); };
  const Answer whole = get({});
  CHECK_EQ(whole.status, 200);
  CHECK_EQ(whole.body, "hello");
  CHECK_EQ(whole.header("Accept-Ranges"), "bytes");
  const Answer middle = get({{"HTTP_RANGE", "bytes=1-3"}});
  CHECK_EQ(middle.status, 206);
  CHECK_EQ(middle.body, "ell");
  CHECK_EQ(middle.header("Content-Range"), "bytes 1-3/5");
  CHECK_EQ(middle.header("Content-Length"), "3");
  CHECK_EQ(get({{"HTTP_RANGE", "bytes=-2"}}).body, "lo");
  const Answer several = get({{"HTTP_RANGE", "bytes=0-0,2-2"}});
  CHECK_EQ(several.status, 206);
  CHECK_EQ(several.header("Content-Type").find("multipart/byteranges; boundary="), 0u);
  CHECK_EQ(several.header("Content-Length"), std::to_string(several.body.size()));
  CHECK_EQ(several.header("Content-Range"), "");
  CHECK(several.body.find("Content-Range: bytes 2-2/5\r\n\r\nl\r\n--") != std::string::npos);
  CHECK_EQ(get({{"HTTP_RANGE", "bytes=1-3"}, {"HTTP_IF_RANGE", "\"other\""}}).status, 200);
  CHECK_EQ(get({{"HTTP_RANGE", "bytes=1-3"}, {"HTTP_IF_RANGE", whole.header("ETag")}}).status, 206);
}

static void a_streamed_head_never_opens_the_object() {
  Service& s = streaming();
  const std::string url = file_url(s.add());
  s.journal.clear();
  const Answer head = s.ask("alice", "HEAD " + url, "", {{"HTTP_RANGE", "bytes=1-3"}});
  CHECK_EQ(head.status, 200);
  CHECK_EQ(head.header("Content-Length"), "5");
  CHECK_EQ(head.body, "");
  const fake::Journal wanted{"find"};
  CHECK(s.journal == wanted);
}

static void a_member_reads_a_linked_file_and_others_do_not() {
  Service s;
  Attachment& a = s.add();
  a.dialog_id = "d1";
  s.rows.members.insert({"d1", "bob"});
  CHECK_EQ(s.ask("bob", "GET " + file_url(a)).status, 404);
  a.status = AttachmentStatus::kLinked;
  CHECK_EQ(s.ask("bob", "GET " + file_url(a)).status, 200);
  CHECK_EQ(s.ask("carol", "GET " + file_url(a)).status, 404);
  CHECK_EQ(s.ask("service", "GET " + file_url(a)).status, 200);
}

static void public_files_ask_nobody_who_he_is() {
  Service s({.visibility = Visibility::kPublic});
  const Attachment& a = s.add();
  for (const char* user : {"", "mallory", "alice"}) {
    CHECK_EQ(s.ask(user, "GET " + file_url(a)).status, 200);
    CHECK_EQ(s.ask(user, "HEAD " + file_url(a)).status, 200);
  }
  CHECK_EQ(s.ask("", "GET /api/files/" + to_string(make_uuid7(s.clock.now())) + "/x").status, 404);
  CHECK_EQ(s.ask("", "GET " + meta_url(a)).status, 401);
  CHECK_EQ(s.ask("mallory", "GET " + meta_url(a)).status, 404);
  CHECK_EQ(s.ask("", "DELETE " + meta_url(a)).status, 401);
  CHECK_EQ(Service().ask("", "GET " + file_url(a)).status, 401);
}

static void the_cdn_s_address_is_in_both_members() {
  Service s({.visibility = Visibility::kPublic, .cdn_url = "https://cdn.example.com"});
  const Attachment in_bucket = s.add("hello", StoreKind::kS3);
  const Answer answer = s.ask("alice", "GET " + meta_url(in_bucket));
  CHECK_EQ(member(answer, "url"), "https://cdn.example.com/" + in_bucket.key);
  CHECK_EQ(member(answer, "data_url"), "https://cdn.example.com/" + in_bucket.key);
  const Attachment on_disk = s.add();
  CHECK_EQ(member(s.ask("alice", "GET " + meta_url(on_disk)), "url").find("/api/files/"), 0u);
}

static void several_ranges_of_an_object_are_the_worker_s_unless_they_are_long() {
  Service s;
  Attachment& a = s.add("hello", StoreKind::kS3);
  CHECK_EQ(s.ask("alice", "GET " + file_url(a), {}, {{"HTTP_RANGE", "bytes=0-0,2-2"}}).status, 206);
  CHECK_EQ(s.ask("alice", "GET " + file_url(a), {}, {{"HTTP_RANGE", "bytes=2-2"}}).header("X-Accel-Redirect"),
           "/_cloakroom/test/s3");
  a.size_bytes = 40u << 20;
  CHECK_EQ(s.ask("alice", "GET " + file_url(a), {}, {{"HTTP_RANGE", "bytes=0-8388608,9000000-18000000"}})
               .header("X-Accel-Redirect"),
           "/_cloakroom/test/s3-sliced");
  const Attachment& on_disk = s.add();
  CHECK_EQ(s.ask("alice", "GET " + file_url(on_disk), {}, {{"HTTP_RANGE", "bytes=0-0,2-2"}})
               .header("X-Accel-Redirect")
               .find("/_cloakroom/test/file/"),
           0u);
}

int main() {
  set_log_level(Level::kError);  // one line a request would drown the report
  const CMUnitTest tests[] = {
      CASE(a_form_becomes_a_list_in_the_order_sent),
      CASE(a_form_that_cannot_be_taken_leaves_nothing),
      CASE(a_raw_body_becomes_one_attachment),
      CASE(a_raw_body_too_large_is_refused_before_it_is_read),
      CASE(a_store_that_fails_during_an_upload_is_a_502_and_a_full_disk_a_507),
      CASE(nginx_may_ask_who_uploads_before_it_takes_the_body),
      CASE(a_local_file_is_handed_to_nginx_with_all_its_headers),
      CASE(a_file_that_was_moved_since_its_row_was_read_is_found_by_a_second_look),
      CASE(a_key_is_percent_encoded_once_for_nginx),
      CASE(a_hostile_key_or_name_cannot_add_a_header),
      CASE(what_a_browser_might_run_is_saved_and_not_shown),
      CASE(s3_files_go_through_nginx_with_the_signed_target_in_a_header),
      CASE(with_temporary_credentials_a_large_object_is_asked_for_once_with_the_range_that_was_read),
      CASE(a_redirect_stays_out_of_caches_and_referers),
      CASE(an_empty_file_is_answered_by_the_worker),
      CASE(a_client_that_has_the_file_gets_a_304),
      CASE(a_condition_that_fails_is_a_412),
      CASE(a_condition_that_holds_is_answered_by_the_worker_itself),
      CASE(a_range_beyond_the_end_is_a_416_with_the_size),
      CASE(a_stream_sends_the_whole_one_range_or_several),
      CASE(a_streamed_head_never_opens_the_object),
      CASE(a_member_reads_a_linked_file_and_others_do_not),
      CASE(public_files_ask_nobody_who_he_is),
      CASE(the_cdn_s_address_is_in_both_members),
      CASE(several_ranges_of_an_object_are_the_worker_s_unless_they_are_long),
  };
  return RUN_TESTS("routes_files", tests);
}

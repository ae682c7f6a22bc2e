// s3_multipart_wire_test.cc — the multipart operations on the wire, and answers that no real store gives on request.
#include "scripted_server.h"
#include "storage/s3_leftovers.h"
#include "storage/s3_multipart.h"

using namespace cloakroom;  // NOLINT: a test

namespace {

struct FixedClock final : Clock {
  TimePoint now() const override { return TimePoint(std::chrono::seconds(1440938160)); }  // 2015-08-30 12:36:00
};
const FixedClock kClock;

struct Wire {
  ScriptedServer server;
  std::unique_ptr<S3Client> client;

  explicit Wire(std::vector<Reply> answers) : server(std::move(answers)) {
    S3Options options;
    options.endpoint = server.endpoint();
    options.bucket = "files";
    options.access_key_id = "AKID";
    options.secret_access_key = "secret";
    client = CHECK_OK(S3Client::make(options, kClock));
  }
  std::string line(std::size_t number) {
    const std::string request = server.requests().at(number);
    return request.substr(0, request.find("\r\n"));
  }
  bool has(std::size_t number, const std::string& text) {
    return server.requests().at(number).find(text) != std::string::npos;
  }
};

Reply answer(const std::string& status, const std::string& body, const std::string& headers = "") {
  return "HTTP/1.1 " + status + "\r\n" + headers + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}
Reply error_answer(const std::string& status, const std::string& code) {
  return answer(status, "<Error><Code>" + code + "</Code></Error>");
}

const std::vector<S3Part> kParts{{2, "\"b\""}, {1, "\"a&<\""}};
constexpr MultipartRef kUpload{"a/b c.txt", "2~id/+="};
const std::string kCompleted = "<CompleteMultipartUploadResult><ETag>x-2</ETag></CompleteMultipartUploadResult>";

void create_sends_the_headers_of_the_object_and_a_length() {
  Wire w({answer("200 OK",
                 "<InitiateMultipartUploadResult><Bucket>files</Bucket><UploadId>2~id/+=</UploadId>"
                 "</InitiateMultipartUploadResult>")});
  const StoreHeaders headers{{"Content-Type", "image/png"}, {"x-amz-meta-attachment-id", "17"}};
  CHECK_EQ(CHECK_OK(create_multipart(*w.client, "a/b c.txt", headers)), "2~id/+=");
  CHECK_EQ(w.line(0), "POST /files/a/b%20c.txt?uploads= HTTP/1.1");
  CHECK(w.has(0, "\r\nContent-Length: 0\r\n"));
  CHECK(w.has(0, "\r\nContent-Type: image/png\r\n"));
  CHECK(w.has(0, "SignedHeaders=content-type;host;x-amz-content-sha256;x-amz-date;x-amz-meta-attachment-id, "));
}

void an_upload_without_an_id_is_a_passing_error() {
  for (const char* body :
       {"", "<InitiateMultipartUploadResult><UploadId></UploadId></InitiateMultipartUploadResult>",
        "<InitiateMultipartUploadResult><Key>a</Key></InitiateMultipartUploadResult>",
        "<InitiateMultipartUploadResult><UploadId>cut", "<Error><Code>InternalError</Code></Error>"}) {
    Wire w({answer("200 OK", body)});
    const auto id = create_multipart(*w.client, "a", {});
    CHECK(!id && id.error().code == Errc::kStore && id.error().retryable);
  }
}

void a_refused_creation_is_a_lasting_error() {
  Wire w({error_answer("403 Forbidden", "AccessDenied")});
  const auto id = create_multipart(*w.client, "a", {});
  CHECK(!id && !id.error().retryable);
  CHECK_EQ(id.error().detail, "store answered 403 AccessDenied to POST uploads");
}

void complete_sends_the_parts_in_order_with_their_etags_as_they_came() {
  Wire w({answer("200 OK", "   \n" + kCompleted)});
  CHECK_OK(complete_multipart(*w.client, kUpload, kParts, 3));
  CHECK_EQ(w.line(0), "POST /files/a/b%20c.txt?uploadId=2~id%2F%2B%3D HTTP/1.1");
  const std::string request = w.server.requests().at(0);
  const std::string body = request.substr(request.find("\r\n\r\n") + 4);
  CHECK_EQ(body,
           "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
           "<Part><PartNumber>1</PartNumber><ETag>\"a&amp;&lt;\"</ETag></Part>"
           "<Part><PartNumber>2</PartNumber><ETag>\"b\"</ETag></Part></CompleteMultipartUpload>");
  CHECK(w.has(0, "\r\nx-amz-content-sha256: " + hex_encode(sha256(body)) + "\r\n"));
  CHECK(w.has(0, "\r\nContent-Type: application/xml\r\n"));
}

void a_completion_with_an_error_inside_may_be_tried_again() {
  for (const char* body : {"", "<Error><Code>InternalError</Code></Error>", "<CompleteMultipartUploadResult><ETa"}) {
    Wire w({answer("200 OK", body)});
    const Status done = complete_multipart(*w.client, kUpload, kParts, 3);
    CHECK(!done && done.error().code == Errc::kStore && done.error().retryable);
  }
}

void a_completion_whose_upload_is_gone_succeeded_before_if_the_object_is_whole() {
  Wire w({error_answer("404 Not Found", "NoSuchUpload"), "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"});
  CHECK_OK(complete_multipart(*w.client, kUpload, kParts, 3));
  CHECK_EQ(w.line(1), "HEAD /files/a/b%20c.txt HTTP/1.1");
  // the same inside a 200
  Wire inside({error_answer("200 OK", "NoSuchUpload"), "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"});
  CHECK_OK(complete_multipart(*inside.client, kUpload, kParts, 3));
}

void a_completion_whose_upload_is_gone_failed_if_the_object_is_another_or_none() {
  for (const char* head : {"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n", "HTTP/1.1 404 Not Found\r\n\r\n",
                           "HTTP/1.1 403 Forbidden\r\n\r\n"}) {
    Wire w({error_answer("404 Not Found", "NoSuchUpload"), head});
    const Status done = complete_multipart(*w.client, kUpload, kParts, 3);
    CHECK(!done && done.error().code == Errc::kStore && !done.error().retryable);
    CHECK_EQ(done.error().detail, "store answered 404 NoSuchUpload to POST uploadId");
  }
}

void parts_that_the_store_does_not_take_are_a_lasting_error() {
  Wire w({error_answer("400 Bad Request", "InvalidPart")});
  const Status done = complete_multipart(*w.client, kUpload, kParts, 3);
  CHECK(!done && !done.error().retryable);
}

void abort_is_a_success_for_an_upload_that_is_gone() {
  Wire w({answer("204 No Content", ""), error_answer("404 Not Found", "NoSuchUpload")});
  CHECK_OK(abort_multipart(*w.client, kUpload));
  CHECK_OK(abort_multipart(*w.client, kUpload));
  CHECK_EQ(w.line(0), "DELETE /files/a/b%20c.txt?uploadId=2~id%2F%2B%3D HTTP/1.1");
}

void a_failed_abort_says_whether_to_repeat_it() {
  Wire w({error_answer("503 Service Unavailable", "SlowDown"), error_answer("404 Not Found", "NoSuchBucket"),
          error_answer("403 Forbidden", "AccessDenied")});
  const Status slow = abort_multipart(*w.client, kUpload);
  CHECK(!slow && slow.error().retryable && slow.error().throttled);
  CHECK(!abort_multipart(*w.client, kUpload));
  const Status denied = abort_multipart(*w.client, kUpload);
  CHECK(!denied && !denied.error().retryable);
}

const std::string kPage =
    "<ListMultipartUploadsResult><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>"
    "<NextKeyMarker>p/b%2Bc+d</NextKeyMarker><NextUploadIdMarker>i/2</NextUploadIdMarker>"
    "<Upload><Key>p/a</Key><UploadId>i1</UploadId><Initiated>2026-01-31T09:30:00.123Z</Initiated></Upload>"
    "<Upload><Key>p/b%2Bc+d</Key><UploadId>i/2</UploadId><Initiated>2026-01-31T09:30:01Z</Initiated></Upload>"
    "</ListMultipartUploadsResult>";

void a_list_is_asked_for_page_by_page() {
  Wire w({answer("200 OK", kPage), answer("200 OK", "<ListMultipartUploadsResult/>")});
  const S3UploadPage first = CHECK_OK(list_multipart(*w.client, "p/"));
  CHECK_EQ(w.line(0), "GET /files?uploads=&max-uploads=200&prefix=p%2F HTTP/1.1");
  CHECK_EQ(first.uploads.size(), 2U);
  CHECK_EQ(first.uploads[1].key, "p/b+c d");
  CHECK_EQ(first.uploads[1].id, "i/2");
  CHECK_EQ(iso8601_ms(first.uploads[0].initiated), "2026-01-31T09:30:00.000Z");
  CHECK(first.truncated);
  const S3UploadPage last = CHECK_OK(list_multipart(*w.client, "p/", first));
  CHECK(w.has(1, "&key-marker=p%2Fb%2Bc%20d&upload-id-marker=i%2F2 HTTP/1.1"));
  CHECK(last.uploads.empty() && !last.truncated);
}

void a_list_that_does_not_end_is_an_error() {
  Wire w(
      {answer("200 OK", kPage), answer("200 OK", kPage),
       answer("200 OK", "<ListMultipartUploadsResult><IsTruncated>true</IsTruncated></ListMultipartUploadsResult>")});
  const S3UploadPage first = CHECK_OK(list_multipart(*w.client, ""));
  CHECK_ERR(list_multipart(*w.client, "", first), Errc::kStore);  // the same markers again
  CHECK_ERR(list_multipart(*w.client, "", first), Errc::kStore);  // none
}

void a_list_that_cannot_be_read_is_a_passing_error() {
  const std::string upload = "<ListMultipartUploadsResult><Upload>";
  const std::string end = "</Upload></ListMultipartUploadsResult>";
  for (const std::string& body :
       {std::string(), std::string("<Error/>"), upload, upload + "<Key>a</Key><UploadId>i</UploadId>" + end,
        upload + "<Key>a</Key><UploadId>i</UploadId><Initiated>yesterday</Initiated>" + end,
        upload + "<Key>a</Key><Initiated>2026-01-31T09:30:00.000Z</Initiated>" + end,
        "<ListMultipartUploadsResult><EncodingType>url</EncodingType><Upload><Key>%zz</Key>" + end}) {
    Wire w({answer("200 OK", body)});
    const auto page = list_multipart(*w.client, "");
    CHECK(!page && page.error().code == Errc::kStore && page.error().retryable);
  }
}

void a_list_without_an_end_is_cut_off() {
  Wire w({answer("200 OK", std::string(3U << 20, ' '))});
  CHECK_ERR(list_multipart(*w.client, ""), Errc::kStore);
}

// A page with three of our uploads, of which one is young, and two of others.
const std::string kOurs = "p/ab/0123456789abcdef0123456789abcdab";
std::string leftovers(const std::string& more) {
  const auto upload = [](const std::string& key, const std::string& id, const char* time) {
    return "<Upload><Key>" + key + "</Key><UploadId>" + id + "</UploadId><Initiated>" + time + "</Initiated></Upload>";
  };
  return "<ListMultipartUploadsResult>" + more + upload(kOurs, "old1", "2015-08-30T10:00:00.000Z") +
         upload(kOurs, "young", "2015-08-30T12:00:00.000Z") +
         upload("p/0198c0de-0000-7000-8000-000000000001_a.png", "old2", "2015-08-29T23:00:00Z") +
         upload("p/backup.tar", "others1", "2015-08-29T23:00:00.000Z") +
         upload("p/incoming/0198c0de", "others2", "2015-08-29T23:00:00.000Z") + "</ListMultipartUploadsResult>";
}
const LeftoverRule kOld{"p/",
                        TimePoint(std::chrono::seconds(1440938160 - 3600)),  // begun before 11:36
                        TimePoint(std::chrono::seconds(1440938160 - 7200)),
                        {}};

void only_old_uploads_under_our_own_keys_are_dropped() {
  Wire w(
      {answer("200 OK", leftovers("")), answer("204 No Content", ""), error_answer("404 Not Found", "NoSuchUpload")});
  CHECK_EQ(CHECK_OK(abort_leftovers(*w.client, kOld)), 2U);
  CHECK_EQ(w.server.requests().size(), 3U);
  CHECK_EQ(w.line(1), "DELETE /files/" + kOurs + "?uploadId=old1 HTTP/1.1");
  CHECK_EQ(w.line(2), "DELETE /files/p/0198c0de-0000-7000-8000-000000000001_a.png?uploadId=old2 HTTP/1.1");
}

void a_rehearsal_counts_and_drops_none() {
  Wire w({answer("200 OK", leftovers(""))});
  LeftoverRule rule = kOld;
  rule.is_rehearsal = true;
  CHECK_EQ(CHECK_OK(abort_leftovers(*w.client, rule)), 2U);
  CHECK_EQ(w.server.requests().size(), 1U);
}

void left_overs_of_all_pages_are_dropped() {
  const std::string more =
      "<IsTruncated>true</IsTruncated><NextKeyMarker>p/x</NextKeyMarker><NextUploadIdMarker>m</NextUploadIdMarker>";
  Wire w({answer("200 OK", leftovers(more)), answer("204 No Content", ""), answer("204 No Content", ""),
          answer("200 OK", leftovers("")), answer("204 No Content", ""), answer("204 No Content", "")});
  CHECK_EQ(CHECK_OK(abort_leftovers(*w.client, kOld)), 4U);
  CHECK(w.has(3, "&key-marker=p%2Fx&upload-id-marker=m"));
}

void one_left_over_that_stays_does_not_save_the_others() {
  Wire w(
      {answer("200 OK", leftovers("")), error_answer("403 Forbidden", "AccessDenied"), answer("204 No Content", "")});
  const auto dropped = abort_leftovers(*w.client, kOld);
  CHECK(!dropped);
  CHECK_EQ(dropped.error().detail, "store answered 403 AccessDenied to DELETE uploadId");
  CHECK_EQ(w.server.requests().size(), 3U);
}

// Begun in quarantine: known to its ticket, known to none, too young there, and one of others.
std::string quarantined() {
  const auto upload = [](const std::string& key, const std::string& id, const char* time) {
    return "<Upload><Key>" + key + "</Key><UploadId>" + id + "</UploadId><Initiated>" + time + "</Initiated></Upload>";
  };
  const std::string key = "p/quarantine/0198c0de00007000800000000000000";
  return "<ListMultipartUploadsResult>" + upload(key + "1", "known", "2015-08-30T10:00:00.000Z") +
         upload(key + "2", "lost", "2015-08-30T10:00:00.000Z") + upload(key + "3", "new", "2015-08-30T10:50:00.000Z") +
         upload("p/quarantine/mine", "others", "2015-08-30T10:00:00.000Z") + "</ListMultipartUploadsResult>";
}

void in_quarantine_only_old_uploads_that_no_ticket_knows_are_dropped() {
  Wire w({answer("200 OK", quarantined()), answer("204 No Content", "")});
  LeftoverRule rule = kOld;
  std::vector<std::string> asked;
  rule.is_promised = [&asked](const Uuid& ticket, std::string_view upload_id) -> Result<bool> {
    asked.push_back(to_string(ticket) + " " + std::string(upload_id));
    return upload_id == "known";
  };
  CHECK_EQ(CHECK_OK(abort_leftovers(*w.client, rule)), 1U);
  CHECK_EQ(w.server.requests().size(), 2U);
  CHECK_EQ(w.line(1), "DELETE /files/p/quarantine/0198c0de000070008000000000000002?uploadId=lost HTTP/1.1");
  CHECK(asked == (std::vector<std::string>{"0198c0de-0000-7000-8000-000000000001 known",
                                           "0198c0de-0000-7000-8000-000000000002 lost"}));
}

void without_its_tickets_quarantine_is_left_alone() {
  Wire w({answer("200 OK", quarantined())});
  LeftoverRule rule = kOld;
  rule.is_promised = [](const Uuid&, std::string_view) -> Result<bool> { return Error{Errc::kDatabase, "away"}; };
  CHECK_ERR(abort_leftovers(*w.client, rule), Errc::kDatabase);
  CHECK_EQ(w.server.requests().size(), 1U);
}

void a_store_that_lists_no_uploads_is_an_error() {
  Wire w({error_answer("501 Not Implemented", "NotImplemented")});
  CHECK_ERR(abort_leftovers(*w.client, kOld), Errc::kStore);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      CASE(create_sends_the_headers_of_the_object_and_a_length),
      CASE(an_upload_without_an_id_is_a_passing_error),
      CASE(a_refused_creation_is_a_lasting_error),
      CASE(complete_sends_the_parts_in_order_with_their_etags_as_they_came),
      CASE(a_completion_with_an_error_inside_may_be_tried_again),
      CASE(a_completion_whose_upload_is_gone_succeeded_before_if_the_object_is_whole),
      CASE(a_completion_whose_upload_is_gone_failed_if_the_object_is_another_or_none),
      CASE(parts_that_the_store_does_not_take_are_a_lasting_error),
      CASE(abort_is_a_success_for_an_upload_that_is_gone),
      CASE(a_failed_abort_says_whether_to_repeat_it),
      CASE(a_list_is_asked_for_page_by_page),
      CASE(a_list_that_does_not_end_is_an_error),
      CASE(a_list_that_cannot_be_read_is_a_passing_error),
      CASE(a_list_without_an_end_is_cut_off),
      CASE(only_old_uploads_under_our_own_keys_are_dropped),
      CASE(a_rehearsal_counts_and_drops_none),
      CASE(left_overs_of_all_pages_are_dropped),
      CASE(one_left_over_that_stays_does_not_save_the_others),
      CASE(in_quarantine_only_old_uploads_that_no_ticket_knows_are_dropped),
      CASE(without_its_tickets_quarantine_is_left_alone),
      CASE(a_store_that_lists_no_uploads_is_an_error),
  };
  return RUN_TESTS("s3_multipart_wire", tests);
}

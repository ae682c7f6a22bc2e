// s3_bucket_wire_test.cc — listing, removal of many and bucket rules before stores that answer as told.
#include <string>

#include "scripted_store.h"
#include "storage/s3_bucket.h"
#include "storage/s3_delete.h"
#include "storage/s3_list.h"
#include "storage/s3_objects.h"
#include "storage/s3_xml_rules.h"

using namespace cloakroom;         // NOLINT: a test
using namespace cloakroom::suite;  // NOLINT: a test

namespace {

std::string ok_xml(const std::string& xml) {
  return answer("200 OK", "Content-Type: application/xml\r\n", xml);
}

// A page: what is said of it, then its keys.
std::string page(const std::string& head, const std::vector<std::string>& keys) {
  std::string xml = "<ListBucketResult><EncodingType>url</EncodingType>" + head;
  for (const std::string& key : keys)
    xml += "<Contents><Key>" + percent_encode(key) + "</Key><Size>1</Size></Contents>";
  return ok_xml(xml + "</ListBucketResult>");
}
std::string more(const std::string& token) {
  return "<KeyCount>1</KeyCount><IsTruncated>true</IsTruncated><NextContinuationToken>" + token +
         "</NextContinuationToken>";
}
std::string more_of_version_1(const std::string& marker = "") {
  return "<Marker></Marker><IsTruncated>true</IsTruncated>" +
         (marker.empty() ? "" : "<NextMarker>" + marker + "</NextMarker>");
}
const std::string kEnd = "<KeyCount>1</KeyCount><IsTruncated>false</IsTruncated>";

Result<std::string> all_keys(S3Listing& listing) {
  std::string keys;
  while (true) {
    TRY_ASSIGN(const auto object, listing.next());
    if (!object) return keys;
    keys += object->key + ";";
  }
}

void pages_are_followed_by_their_tokens() {
  ScriptedStore s({page(more("t/1+=="), {"p/a b", "p/c+d"}), page(more("t2"), {}), page(kEnd, {"p/\xC3\xBC"})});
  S3Listing listing(s.client(), {.prefix = "p/", .start_after = "p/0", .page_keys = 2});
  CHECK_EQ(CHECK_OK(all_keys(listing)), "p/a b;p/c+d;p/\xC3\xBC;");
  CHECK_EQ(s.server.first_line(0),
           "GET /files?encoding-type=url&max-keys=2&prefix=p%2F&list-type=2&start-after=p%2F0 HTTP/1.1");
  CHECK(s.server.request_has(1, "&continuation-token=t%2F1%2B%3D%3D HTTP"));
  CHECK(!s.server.request_has(1, "start-after"));
  CHECK(s.server.request_has(2, "&continuation-token=t2 HTTP"));
  CHECK(!CHECK_OK(listing.next()));  // and the end stays the end
  CHECK_EQ(s.attempts(), 3U);
}

void an_empty_bucket_has_no_objects() {
  ScriptedStore s(
      {ok_xml("<ListBucketResult><KeyCount>0</KeyCount><IsTruncated>false</IsTruncated></ListBucketResult>")});
  S3Listing listing(s.client(), {});
  CHECK_EQ(CHECK_OK(all_keys(listing)), "");
}

void a_listing_that_leads_astray_is_an_error() {
  const std::string no_token = "<KeyCount>1</KeyCount><IsTruncated>true</IsTruncated>";
  ScriptedStore cut({page(no_token, {"p/a"})});
  S3Listing without(cut.client(), {.prefix = "p/"});
  CHECK_ERR(without.next(), Errc::kStore);
  ScriptedStore circle({page(more("t"), {"p/a"}), page(more("t"), {"p/b"})});
  S3Listing round(circle.client(), {.prefix = "p/"});
  CHECK_OK(round.next());
  CHECK_ERR(round.next(), Errc::kStore);
  ScriptedStore outside({page(kEnd, {"p/a", "other/b"})});
  S3Listing astray(outside.client(), {.prefix = "p/"});
  CHECK_ERR(astray.next(), Errc::kStore);
}

void a_store_without_version_2_is_asked_again_in_version_1() {
  for (const std::string& refusal :
       {error_answer("501 Not Implemented", "NotImplemented"), error_answer("400 Bad Request", "InvalidArgument")}) {
    ScriptedStore s({refusal, page(more_of_version_1(), {"a", "b+ c"}), page(more_of_version_1("d%2F"), {"d"}),
                     page("<Marker/><IsTruncated>false</IsTruncated>", {"e"})});
    S3Listing listing(s.client(), {.start_after = "0"});
    CHECK_EQ(CHECK_OK(all_keys(listing)), "a;b+ c;d;e;");
    CHECK(s.server.request_has(0, "list-type=2"));
    CHECK_EQ(s.server.first_line(1), "GET /files?encoding-type=url&max-keys=1000&marker=0 HTTP/1.1");
    CHECK(s.server.request_has(2, "&marker=b%2B%20c HTTP"));
    CHECK(s.server.request_has(3, "&marker=d%2F HTTP"));
    CHECK_EQ(s.attempts(), 4U);
  }
  ScriptedStore silent({page(more_of_version_1(), {"a"}), page("<Marker/><IsTruncated>false</IsTruncated>", {"b"})});
  S3Listing listing(silent.client(), {});  // it never heard of list-type, and answers what it knows
  CHECK_EQ(CHECK_OK(all_keys(listing)), "a;b;");
  CHECK(silent.server.request_has(1, "&marker=a HTTP"));
}

std::string dated_page(const std::string& time) {
  return ok_xml("<ListBucketResult>" + kEnd + "<Contents><Key>p/a</Key><LastModified>" + time +
                "</LastModified><Size>7</Size></Contents></ListBucketResult>");
}

void objects_come_with_their_times_and_a_page_that_failed_is_asked_for_again() {
  ScriptedStore s({error_answer("500 Internal Server Error", "InternalError"), dated_page("2026-01-31T09:29:58.000Z")});
  S3Objects objects(s.client(), s.retrier, "p/");
  const auto object = CHECK_OK(objects.next());
  CHECK(object && object->key == "p/a" && object->size_bytes == 7);
  CHECK(objects.now() - object->changed_at == std::chrono::seconds(2));
  CHECK(!CHECK_OK(objects.next()));
  CHECK_EQ(s.attempts(), 2U);
}

void an_object_without_a_time_is_an_error() {
  for (const char* time : {"", "yesterday"}) {
    ScriptedStore s({dated_page(time)});
    S3Objects objects(s.client(), s.retrier, "");
    CHECK_ERR(objects.next(), Errc::kStore);
  }
}

void a_refused_listing_is_no_reason_to_try_version_1() {
  ScriptedStore s({error_answer("403 Forbidden", "AccessDenied")});
  S3Listing listing(s.client(), {});
  CHECK_ERR(listing.next(), Errc::kStore);
  ScriptedStore gone({error_answer("404 Not Found", "NoSuchBucket"), answer("404 Not Found", "", "")});
  S3Listing nowhere(gone.client(), {});
  CHECK_ERR(nowhere.next(), Errc::kStore);
  CHECK_ERR(nowhere.next(), Errc::kStore);
}

void a_page_that_did_not_come_is_asked_for_again() {
  const std::string whole = page(kEnd, {"b"});
  ScriptedStore s({page(more("t"), {"a"}), error_answer("503 Slow Down", "SlowDown"),
                   ok_xml("<Error><Code>InternalError</Code></Error>"), whole});
  S3Listing listing(s.client(), {});
  for (const char* key : {"a", "b"}) {
    CHECK_EQ(CHECK_OK(s.retrier.repeat([&listing] { return listing.next(); }))->key, key);
  }
  CHECK_EQ(s.attempts(), 4U);
  CHECK_EQ(s.pauses.size(), 2U);

  ScriptedStore cut({page(more("t"), {"a"}), ok_xml("<ListBucketResult><Contents><Key>b</Key>"), whole});
  S3Listing impatient(cut.client(), {});
  CHECK_OK(impatient.next());
  const auto failed = impatient.next();
  CHECK(!failed && failed.error().retryable);
  CHECK_EQ(CHECK_OK(all_keys(impatient)), "b;");  // goes on where it was
  CHECK(cut.server.request_has(2, "&continuation-token=t HTTP"));
}

void a_huge_page_is_not_read_to_its_end() {
  ScriptedStore s({ok_xml("<ListBucketResult>" + std::string(32U << 20, ' ') + "</ListBucketResult>")});
  S3Listing listing(s.client(), {});
  const auto failed = s.retrier.repeat([&listing] { return listing.next(); });
  CHECK(!failed && !failed.error().retryable);
  CHECK_EQ(failed.error().detail, "store answered GET with a result that is too large");
  CHECK_EQ(s.attempts(), 1U);
}

void many_are_removed_by_one_request_with_its_md5() {
  ScriptedStore s({ok_xml("<DeleteResult/>")});
  const std::vector<std::string_view> keys{"a&b", "c d"};
  for (const Status& outcome : delete_objects(s.client(), keys)) CHECK_OK(outcome);
  CHECK_EQ(s.server.first_line(0), "POST /files?delete= HTTP/1.1");
  const std::string xml = s.body(0);
  CHECK(xml.find("<Key>a&amp;b</Key>") != std::string::npos);
  const auto digest = CHECK_OK(md5(xml));
  const std::string text = base64_encode({reinterpret_cast<const char*>(digest.data()), digest.size()});
  CHECK(s.server.request_has(0, "\r\nContent-MD5: " + text + "\r\n"));
  CHECK(s.server.request_has(0, "\r\nContent-Type: application/xml\r\n"));
  CHECK(s.server.request_has(0, "\r\nx-amz-content-sha256: " + hex_encode(sha256(xml)) + "\r\n"));
  CHECK(s.server.request_has(0, "SignedHeaders=content-md5;content-type;host;"));
  CHECK_EQ(s.attempts(), 1U);
}

void each_key_has_an_outcome_of_its_own() {
  ScriptedStore s(
      {ok_xml("<DeleteResult><Error><Key>b</Key><Code>AccessDenied</Code></Error>"
              "<Error><Key>c</Key><Code>SlowDown</Code></Error>"
              "<Error><Key>d</Key><Code>NoSuchKey</Code></Error></DeleteResult>")});
  const auto outcomes = delete_objects(s.client(), std::vector<std::string_view>{"a", "b", "c", "d", "b"});
  CHECK_OK(outcomes[0]);
  CHECK(!outcomes[1] && !outcomes[1].error().retryable);
  CHECK_EQ(outcomes[1].error().detail, "store answered AccessDenied to POST");
  CHECK(!outcomes[2] && outcomes[2].error().throttled && outcomes[2].error().retryable);
  CHECK_OK(outcomes[3]);
  CHECK(!outcomes[4]);
}

void a_failure_of_a_key_that_nobody_named_is_everybodys() {
  ScriptedStore s({ok_xml("<DeleteResult><Error><Key></Key><Code>InternalError</Code></Error></DeleteResult>")});
  for (const Status& outcome : delete_objects(s.client(), std::vector<std::string_view>{"a", "b"})) {
    CHECK(!outcome && outcome.error().retryable);
  }
}

void a_failed_request_is_the_outcome_of_all() {
  for (const std::string& reply : {error_answer("503 Slow Down", "SlowDown"), ok_xml("<DeleteResult><Error><Key>a"),
                                   ok_xml("<Error><Code>InternalError</Code></Error>"), std::string()}) {
    ScriptedStore s({reply});
    for (const Status& outcome : delete_objects(s.client(), std::vector<std::string_view>{"a", "b"})) {
      CHECK(!outcome && outcome.error().retryable);
    }
  }
  ScriptedStore gone({error_answer("404 Not Found", "NoSuchBucket")});
  CHECK_ERR(delete_objects(gone.client(), std::vector<std::string_view>{"a", "b"})[0], Errc::kStore);
}

void keys_that_xml_cannot_carry_are_removed_one_by_one() {
  const std::string none = answer("204 No Content", "", "");
  ScriptedStore s({ok_xml("<DeleteResult/>"), none, none, none});
  const std::vector<std::string_view> keys{"a", "b\x01", "c\rd", "e\xEF\xBF\xBF", "f"};
  for (const Status& outcome : delete_objects(s.client(), keys)) CHECK_OK(outcome);
  CHECK(s.body(0).find("<Object><Key>a</Key></Object><Object><Key>f</Key></Object>") != std::string::npos);
  CHECK_EQ(s.server.first_line(1), "DELETE /files/b%01 HTTP/1.1");
  CHECK_EQ(s.server.first_line(2), "DELETE /files/c%0Dd HTTP/1.1");
  CHECK_EQ(s.server.first_line(3), "DELETE /files/e%EF%BF%BF HTTP/1.1");
}

void a_store_that_cannot_remove_many_is_asked_one_by_one() {
  const std::string none = answer("204 No Content", "", "");
  ScriptedStore s(
      {error_answer("501 Not Implemented", "NotImplemented"), none, error_answer("403 Forbidden", "AccessDenied")});
  const auto outcomes = delete_objects(s.client(), std::vector<std::string_view>{"a", "b"});
  CHECK_OK(outcomes[0]);
  CHECK(!outcomes[1]);
  CHECK_EQ(s.server.first_line(2), "DELETE /files/b HTTP/1.1");
  ScriptedStore one({none});
  CHECK_OK(delete_objects(one.client(), std::vector<std::string_view>{"a"})[0]);
  CHECK_EQ(one.server.first_line(0), "DELETE /files/a HTTP/1.1");
}

void a_thousand_and_two_keys_take_two_requests() {
  ScriptedStore s({ok_xml("<DeleteResult/>"),
                   ok_xml("<DeleteResult><Error><Key>key1001</Key><Code>AccessDenied</Code></Error></DeleteResult>")});
  std::vector<std::string> names;
  for (int i = 0; i < 1002; ++i) names.push_back("key" + std::to_string(i));
  const auto outcomes = delete_objects(s.client(), std::vector<std::string_view>(names.begin(), names.end()));
  CHECK_EQ(s.attempts(), 2U);
  CHECK(s.body(0).find("key999<") != std::string::npos && s.body(0).find("key1000<") == std::string::npos);
  for (std::size_t i = 0; i < 1001; ++i) CHECK_OK(outcomes[i]);
  CHECK(!outcomes[1001]);
}

void removals_that_may_pass_are_repeated_alone() {
  ScriptedStore s({ok_xml("<DeleteResult><Error><Key>b</Key><Code>InternalError</Code></Error>"
                          "<Error><Key>c</Key><Code>AccessDenied</Code></Error></DeleteResult>"),
                   answer("204 No Content", "", "")});
  const std::vector<ObjectKey> keys{key_of("a"), key_of("b"), key_of("c")};
  const auto outcomes = s.retrying->remove_many(keys);
  CHECK(outcomes[0] && outcomes[1] && !outcomes[2]);
  CHECK_EQ(s.server.first_line(1), "DELETE /files/b HTTP/1.1");
  CHECK_EQ(s.attempts(), 2U);
}

void rules_are_put_and_read() {
  const std::string cors = CHECK_OK(with_cors_rule("", std::vector<std::string>{"https://a.example.org"}));
  const std::string cycle = CHECK_OK(with_abort_rule("", "q/"));
  const struct {
    BucketRules kind;
    std::string xml, line;
    const char *none, *none_elsewhere;
  } table[] = {
      {BucketRules::kCors, cors, "PUT /files?cors= HTTP/1.1", "NoSuchCORSConfiguration",
       "NoSuchCORSConfigurationError"},
      {BucketRules::kLifecycle, cycle, "PUT /files?lifecycle= HTTP/1.1", "NoSuchLifecycleConfiguration",
       "NoSuchLifecycle"},
  };
  for (const auto& row : table) {
    ScriptedStore s({answer("200 OK", "", ""), ok_xml(row.xml), error_answer("404 Not Found", row.none),
                     error_answer("404 Not Found", row.none_elsewhere)});
    CHECK_OK(put_bucket_rules(s.client(), row.kind, row.xml));
    CHECK_EQ(s.server.first_line(0), row.line);
    CHECK(s.server.request_has(0, "\r\nContent-MD5: "));
    CHECK_EQ(s.body(0), row.xml);
    CHECK_EQ(CHECK_OK(get_bucket_rules(s.client(), row.kind)), row.xml);
    CHECK_EQ(CHECK_OK(get_bucket_rules(s.client(), row.kind)), "");
    CHECK_EQ(CHECK_OK(get_bucket_rules(s.client(), row.kind)), "");
  }
}

void a_store_that_takes_no_md5_gets_none() {
  ScriptedStore s({ok_xml("<DeleteResult/>")});
  S3Options options = s.client().options();
  options.content_md5 = false;
  const auto client = CHECK_OK(S3Client::make(options, s.clock));
  CHECK_OK(delete_objects(*client, std::vector<std::string_view>{"a", "b"})[0]);
  CHECK(!s.server.request_has(0, "Content-MD5"));
  CHECK(s.server.request_has(0, "x-amz-content-sha256: " + hex_encode(sha256(s.body(0)))));
}

void a_store_without_such_rules_is_told_from_a_bucket_without() {
  for (const std::string& refusal :
       {error_answer("501 Not Implemented", "NotImplemented"), error_answer("403 Forbidden", "AccessDenied"),
        error_answer("404 Not Found", "NoSuchBucket"), error_answer("404 Not Found", "NoSuchKey"),
        error_answer("404 Not Found", "NoSuchLifecycleConfiguration"), error_answer("200 OK", "InternalError")}) {
    ScriptedStore s({refusal});
    CHECK_ERR(get_bucket_rules(s.client(), BucketRules::kCors), Errc::kStore);
  }
  const std::string none = error_answer("501 Not Implemented", "NotImplemented");
  ScriptedStore s({none, error_answer("404 Not Found", "NoSuchKey"), ok_xml("<ListBucketResult/>"),
                   ok_xml("<LifecycleConfiguration>"), ok_xml(""),
                   ok_xml("<LifecycleConfiguration>" + std::string(8U << 20, ' '))});
  const Status put = put_bucket_rules(s.client(), BucketRules::kLifecycle, "<LifecycleConfiguration/>");
  CHECK(!put);
  CHECK_EQ(put.error().detail, "store answered 501 NotImplemented to PUT");
  CHECK_ERR(put_bucket_rules(s.client(), BucketRules::kCors, "<CORSConfiguration/>"), Errc::kStore);
  // Swift answers with a listing; a document that is cut or too large is none.
  for (int i = 0; i < 4; ++i) CHECK_ERR(get_bucket_rules(s.client(), BucketRules::kLifecycle), Errc::kStore);
  CHECK_EQ(s.attempts(), 6U);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      CASE(pages_are_followed_by_their_tokens),
      CASE(an_empty_bucket_has_no_objects),
      CASE(a_listing_that_leads_astray_is_an_error),
      CASE(a_store_without_version_2_is_asked_again_in_version_1),
      CASE(objects_come_with_their_times_and_a_page_that_failed_is_asked_for_again),
      CASE(an_object_without_a_time_is_an_error),
      CASE(a_refused_listing_is_no_reason_to_try_version_1),
      CASE(a_page_that_did_not_come_is_asked_for_again),
      CASE(a_huge_page_is_not_read_to_its_end),
      CASE(many_are_removed_by_one_request_with_its_md5),
      CASE(each_key_has_an_outcome_of_its_own),
      CASE(a_failure_of_a_key_that_nobody_named_is_everybodys),
      CASE(a_failed_request_is_the_outcome_of_all),
      CASE(keys_that_xml_cannot_carry_are_removed_one_by_one),
      CASE(a_store_that_cannot_remove_many_is_asked_one_by_one),
      CASE(a_thousand_and_two_keys_take_two_requests),
      CASE(removals_that_may_pass_are_repeated_alone),
      CASE(rules_are_put_and_read),
      CASE(a_store_that_takes_no_md5_gets_none),
      CASE(a_store_without_such_rules_is_told_from_a_bucket_without),
  };
  return RUN_TESTS("s3_bucket_wire", tests);
}

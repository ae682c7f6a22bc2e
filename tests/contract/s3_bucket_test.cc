// s3_bucket_test.cc — listing, removal of many and bucket rules on a real S3 store.
#include "storage/s3_bucket.h"

#include <algorithm>
#include <memory>
#include <string>

#include "real_store.h"
#include "storage/retry.h"
#include "storage/s3_delete.h"
#include "storage/s3_list.h"
#include "storage/s3_xml_rules.h"
#include "store_suite.h"

using namespace cloakroom;         // NOLINT: a test
using namespace cloakroom::suite;  // NOLINT: a test

namespace {

// Keys that ObjectKey would refuse too: what others put into a bucket is listed and removed all the same.
void put_raw(const std::string& key, const std::string& bytes) {
  const std::string hash = hex_encode(sha256(bytes));
  const HttpAnswer put =
      CHECK_OK(real::client().call({.method = "PUT", .key = key, .payload_hash = hash, .text = bytes}));
  CHECK_EQ(put.status, 200);
}

std::vector<std::string> keys_of(S3ListOptions options) {
  S3Listing listing(real::client(), std::move(options));
  std::vector<std::string> keys;
  while (const auto object = CHECK_OK(listing.next())) keys.push_back(object->key);
  std::sort(keys.begin(), keys.end());
  return keys;
}

std::vector<Status> remove_all(const std::vector<std::string>& keys) {
  return delete_objects(real::client(), std::vector<std::string_view>(keys.begin(), keys.end()));
}

const std::vector<std::string> kOdd{
    "a b",    "a+b",      "a%2Bb",  "a&b<c>\"d'", "a/b//c", "\xC3\xBC\xE6\xBC\xA2\xF0\x9F\x98\x80",
    "q?x=1",  " blanks ", "tilde~", "c=d",        "#hash",  "line\nfeed",
    "cr\rlf", "bell\x07"};

void odd_keys_are_listed_as_they_are_and_removed_at_once() {
  const std::string prefix = "odd " + random_hex(4) + "+/";
  std::vector<std::string> keys;
  for (const std::string& name : kOdd) keys.push_back(prefix + name);
  for (const std::string& key : keys) put_raw(key, key);
  std::sort(keys.begin(), keys.end());
  CHECK(keys_of({.prefix = prefix, .page_keys = 3}) == keys);
  CHECK(keys_of({.prefix = prefix}) == keys);
  CHECK(keys_of({.prefix = prefix + "a", .start_after = keys.back()}).empty());
  CHECK(keys_of({.prefix = prefix, .start_after = keys[4]}) == std::vector<std::string>(keys.begin() + 5, keys.end()));

  for (const Status& outcome : remove_all(keys)) CHECK_OK(outcome);
  CHECK(keys_of({.prefix = prefix}).empty());
  for (const Status& outcome : remove_all(keys)) CHECK_OK(outcome);  // absent is a success
}

void an_object_is_listed_with_its_size_and_time() {
  const std::string prefix = "meta-" + random_hex(4) + "/";
  put_raw(prefix + "a", "0123456");
  S3Listing listing(real::client(), {.prefix = prefix});
  const auto object = CHECK_OK(listing.next());
  CHECK(object.has_value());
  CHECK_EQ(object->size_bytes, 7U);
  CHECK(object->etag.find("124bd1296bec0d9d93c7b52a71ad8d5b") != std::string::npos);  // the MD5 of it
  CHECK(object->last_modified > iso8601_ms(system_now() - std::chrono::hours(1)));
  CHECK(object->last_modified < iso8601_ms(system_now() + std::chrono::hours(1)));
  CHECK(!CHECK_OK(listing.next()));
}

void many_pages_hold_every_key_once() {
  const std::string prefix = "pages-" + random_hex(4) + "/";
  std::vector<std::string> keys;
  for (int i = 100; i < 125; ++i) keys.push_back(prefix + std::to_string(i));
  for (const std::string& key : keys) put_raw(key, "");
  CHECK(keys_of({.prefix = prefix, .page_keys = 4}) == keys);
  CHECK(keys_of({.prefix = prefix, .page_keys = 25}) == keys);
  Retrier retrier{RetryPolicy{}};
  S3Listing listing(real::client(), {.prefix = prefix, .page_keys = 24});
  for (const std::string& key : keys) {
    CHECK_EQ(CHECK_OK(retrier.repeat([&listing] { return listing.next(); }))->key, key);
  }
  for (const Status& outcome : remove_all(keys)) CHECK_OK(outcome);
}

void a_bucket_that_is_gone_is_an_error_of_the_store() {
  S3Options options = real::client().options();
  options.bucket += "-gone";
  const auto gone = CHECK_OK(S3Client::make(options, real::kClock));
  S3Listing listing(*gone, {});
  CHECK_ERR(listing.next(), Errc::kStore);
  CHECK_ERR(delete_objects(*gone, std::vector<std::string_view>{"a", "b"})[0], Errc::kStore);
  CHECK_ERR(get_bucket_rules(*gone, BucketRules::kCors), Errc::kStore);
}

void cors_rules_are_kept() {
  const auto now = [] { return CHECK_OK(get_bucket_rules(real::client(), BucketRules::kCors)); };
  CHECK_EQ(now(), "");
  const std::vector<std::string> origins{"https://app.example.org"};
  CHECK_OK(put_bucket_rules(real::client(), BucketRules::kCors, CHECK_OK(with_cors_rule("", origins))));
  const std::string kept = now();
  for (const char* part : {"<ID>cloakroom</ID>", "https://app.example.org", "<AllowedMethod>PUT</AllowedMethod>",
                           "<ExposeHeader>ETag</ExposeHeader>", "<MaxAgeSeconds>3600</MaxAgeSeconds>"}) {
    CHECK(kept.find(part) != std::string::npos);
  }
  CHECK_OK(put_bucket_rules(real::client(), BucketRules::kCors, CHECK_OK(with_cors_rule(kept, origins))));
  CHECK_EQ(now(), kept);  // ours took the place of ours
}

void lifecycle_rules_are_kept() {
  const auto now = [] { return CHECK_OK(get_bucket_rules(real::client(), BucketRules::kLifecycle)); };
  CHECK_EQ(now(), "");
  const std::string others =
      "<LifecycleConfiguration><Rule><ID>logs</ID><Filter><Prefix>logs/</Prefix></Filter><Status>Enabled</Status>"
      "<Expiration><Days>9</Days></Expiration></Rule></LifecycleConfiguration>";
  CHECK_OK(put_bucket_rules(real::client(), BucketRules::kLifecycle, others));
  CHECK(!has_abort_rule(now(), "q/"));
  CHECK_OK(put_bucket_rules(real::client(), BucketRules::kLifecycle, CHECK_OK(with_abort_rule(now(), "q/"))));
  CHECK(has_abort_rule(now(), "q/"));
  CHECK(now().find("<ID>logs</ID>") != std::string::npos);
}

void a_wrong_clock_is_put_right_by_a_real_store() {
  const real::SystemClock wrong(std::chrono::hours(-20));
  const auto late = CHECK_OK(S3Store::make(real::client().options(), wrong));
  CHECK_OK(late->ready());  // HEAD: no words, only a Date
  const auto later = CHECK_OK(S3Store::make(real::client().options(), wrong));
  const TempFile file("x");
  const ObjectKey key = fresh_key();
  CHECK_OK(later->put(key, file.whole(), {}));
  CHECK_OK(later->remove(key));
  const auto off = later->client().now() - system_now();
  CHECK(std::chrono::abs(off) < std::chrono::seconds(60));
}

}  // namespace

int main() {
  if (real::is_skipped()) return 0;
  const CMUnitTest tests[] = {
      CASE(odd_keys_are_listed_as_they_are_and_removed_at_once),
      CASE(an_object_is_listed_with_its_size_and_time),
      CASE(many_pages_hold_every_key_once),
      CASE(a_bucket_that_is_gone_is_an_error_of_the_store),
      CASE(cors_rules_are_kept),
      CASE(lifecycle_rules_are_kept),
      CASE(a_wrong_clock_is_put_right_by_a_real_store),
  };
  return RUN_TESTS("contract_s3_bucket", tests);
}

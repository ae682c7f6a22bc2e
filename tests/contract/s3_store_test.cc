// s3_store_test.cc — the suite of every BlobStore against a real S3 store, and what only S3 promises.
//
// Needs    as real_store.h. S3_STRICT_REGION: the store looks at the region in a signature (Swift does, Ceph does not).
#include <curl/curl.h>

#include <chrono>
#include <memory>
#include <string>

#include "real_store.h"
#include "storage/s3_errors.h"
#include "storage/s3_multipart.h"
#include "store_suite.h"

using namespace cloakroom;         // NOLINT: a test
using namespace cloakroom::suite;  // NOLINT: a test

namespace {

bool is_strict() {
  return !real::environment("S3_STRICT_REGION").empty();
}

std::unique_ptr<S3Store> make_s3(const S3Options& options) {
  return CHECK_OK(S3Store::make(options, real::kClock));
}

struct S3Place {
  static constexpr bool kKeepsType = true;
  static const S3Options& options() { return real::options(); }
  static S3Store& store() { return real::store(); }
};

struct Fetched {
  long status = 0;
  std::string headers, body;
};

std::size_t append_to(char* data, std::size_t size, std::size_t count, void* text) noexcept {
  static_cast<std::string*>(text)->append(data, size * count);
  return size * count;
}

// Plain curl, as a browser would: no header of ours, no signing.
Fetched fetch(const std::string& url, bool head = false) {
  const std::unique_ptr<CURL, void (*)(CURL*)> handle(curl_easy_init(), curl_easy_cleanup);
  Fetched fetched;
  curl_easy_setopt(handle.get(), CURLOPT_URL, url.c_str());
  curl_easy_setopt(handle.get(), CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(handle.get(), CURLOPT_NOBODY, head ? 1L : 0L);
  curl_easy_setopt(handle.get(), CURLOPT_TIMEOUT, 15L);
  curl_easy_setopt(handle.get(), CURLOPT_WRITEFUNCTION, append_to);
  curl_easy_setopt(handle.get(), CURLOPT_WRITEDATA, &fetched.body);
  curl_easy_setopt(handle.get(), CURLOPT_HEADERFUNCTION, append_to);
  curl_easy_setopt(handle.get(), CURLOPT_HEADERDATA, &fetched.headers);
  CHECK_EQ(curl_easy_perform(handle.get()), CURLE_OK);
  curl_easy_getinfo(handle.get(), CURLINFO_RESPONSE_CODE, &fetched.status);
  fetched.headers = ascii_lower(fetched.headers);
  return fetched;
}

ObjectKey stored(const std::string& name, std::string_view bytes) {
  const ObjectKey key = key_of("suite/" + random_hex(8) + "/" + name);
  const TempFile file(bytes);
  CHECK_OK(S3Place::store().put(key, file.whole(), text_meta()));
  return key;
}

void a_presigned_url_works_with_plain_curl() {
  const ObjectKey key = stored("odd ~ \xC3\xBC + (1)%&'=.txt", "presigned");
  const std::string url = CHECK_OK(S3Place::store().presign(key, {.expires = std::chrono::seconds(60)}));
  const Fetched got = fetch(url);
  CHECK_EQ(got.status, 200);
  CHECK_EQ(got.body, "presigned");
  CHECK(got.headers.find("content-type: text/plain; charset=utf-8\r\n") != std::string::npos);
  CHECK(got.headers.find("content-disposition: attachment; filename=\"a.txt\"\r\n") != std::string::npos);
  CHECK(got.headers.find("cache-control: private, max-age=60\r\n") != std::string::npos);
  CHECK(got.headers.find("x-amz-meta-attachment-id: 0198c0de\r\n") != std::string::npos);

  const std::string head =
      CHECK_OK(S3Place::store().presign(key, {.method = "HEAD", .expires = std::chrono::seconds(60)}));
  CHECK_EQ(fetch(head, true).status, 200);
}

void a_presigned_url_with_one_changed_character_is_refused() {
  const ObjectKey key = stored("a.txt", "secret");
  std::string url = CHECK_OK(S3Place::store().presign(key, {.expires = std::chrono::seconds(60)}));
  CHECK_EQ(fetch(url).status, 200);
  url.back() = url.back() == '0' ? '1' : '0';
  const Fetched refused = fetch(url);
  CHECK_EQ(refused.status, 403);
  CHECK(refused.body.find("secret") == std::string::npos);
}

void a_presigned_url_expires() {
  const real::SystemClock past(std::chrono::minutes(5));
  const ObjectKey key = stored("a.txt", "late");
  const std::unique_ptr<S3Store> store = CHECK_OK(S3Store::make(S3Place::options(), past));
  CHECK_EQ(fetch(CHECK_OK(store->presign(key, {.expires = std::chrono::seconds(600)}))).status, 200);
  CHECK_EQ(fetch(CHECK_OK(store->presign(key, {.expires = std::chrono::seconds(60)}))).status, 403);
}

void presigned_overrides_replace_what_was_stored() {
  const ObjectKey key = stored("a.txt", "shown");
  const std::string disposition = "inline; filename=\"b (1).png\"; filename*=UTF-8''%C3%BC%20%281%29.png";
  const std::string url = CHECK_OK(S3Place::store().presign(
      key, {.expires = std::chrono::seconds(60), .content_disposition = disposition, .content_type = "image/png"}));
  const Fetched got = fetch(url);
  CHECK_EQ(got.status, 200);
  CHECK(got.headers.find("content-disposition: " + ascii_lower(disposition) + "\r\n") != std::string::npos);
  CHECK(got.headers.find("content-type: image/png\r\n") != std::string::npos);
}

void a_presigned_path_with_the_host_is_the_presigned_url() {
  const ObjectKey key = stored("a.txt", "by path");
  const std::string path = CHECK_OK(S3Place::store().presign_path(key, {.expires = std::chrono::seconds(60)}));
  CHECK_EQ(path.substr(0, S3Place::options().bucket.size() + 2), "/" + S3Place::options().bucket + "/");
  CHECK_EQ(fetch("http://" + S3Place::store().host() + path).body, "by path");
}

void a_missing_bucket_is_not_ready_and_is_made_by_prepare() {
  S3Options options = real::new_options();
  if (!is_strict()) options.region = "eu-north-7";  // Ceph knows no such place: creation is repeated without it
  const std::unique_ptr<S3Store> store = make_s3(options);
  CHECK_ERR(store->ready(), Errc::kStore);
  StringSink sink;
  CHECK_ERR(store->get(fresh_key(), {0, 1}, sink), Errc::kStore);  // not kNotFound: a lost bucket is no lost file
  CHECK_OK(store->prepare());
  CHECK_OK(store->ready());
  CHECK_OK(store->prepare());
}

void a_wrong_secret_is_a_lasting_store_error() {
  S3Options options = S3Place::options();
  options.secret_access_key += "x";
  const std::unique_ptr<S3Store> store = make_s3(options);
  const TempFile file("never stored");
  const auto put = store->put(fresh_key(), file.whole(), text_meta());
  CHECK(!put);
  CHECK_EQ(put.error().code, Errc::kStore);
  CHECK(!put.error().retryable);
  CHECK_EQ(put.error().detail, "store answered 403 SignatureDoesNotMatch to PUT");
  CHECK_ERR(store->ready(), Errc::kStore);
}

// By hand, below the client: what the refusal itself is, and what our error makes of it.
void a_strict_store_refuses_another_region_and_names_its_own() {
  if (!is_strict()) return;  // Ceph takes any
  const S3Options& o = S3Place::options();
  const Credentials credentials{o.access_key_id, o.secret_access_key, ""};
  SigningKeyCache keys;
  const SigningContext context{credentials, "eu-north-7", keys};
  const std::string path = "/" + o.bucket + "/region.txt";
  HttpCall call{.method = "PUT", .url = o.endpoint + path, .headers = {{"Host", S3Place::store().host()}}};
  const SignInput input{"PUT", path, "", call.headers, kEmptyPayloadHash, real::kClock.now()};
  const StoreHeaders added = CHECK_OK(sign_headers(input, context));
  call.headers.insert(call.headers.end(), added.begin(), added.end());
  CurlClient curl(CurlOptions{.connect = std::chrono::seconds(3)});
  const HttpAnswer answer = CHECK_OK(curl.perform(call));
  CHECK_EQ(s3_error("PUT", answer).detail,
           "store answered 400 AuthorizationHeaderMalformed to PUT: the bucket is in region 'us-east-1'");
  CHECK(!s3_error("PUT", answer).retryable);

  const StoreHeaders host{{"Host", S3Place::store().host()}};
  const SignInput get{"GET", path, "", host, kUnsignedPayload, real::kClock.now()};
  const std::string query = CHECK_OK(presign_query(get, context, std::chrono::seconds(60)));
  CHECK_EQ(fetch(o.endpoint + path + "?" + query).status, 400);
}

void a_refused_large_upload_says_why_and_the_next_call_works() {
  S3Options options = S3Place::options();
  options.access_key_id = "nobody";
  const std::unique_ptr<S3Store> store = make_s3(options);
  const TempFile file(pattern(8U << 20));
  const auto put = store->put(fresh_key(), file.whole(), text_meta());
  CHECK(!put);
  CHECK_EQ(put.error().code, Errc::kStore);
  CHECK_EQ(put.error().detail, is_strict() ? "store answered 403 SignatureDoesNotMatch to PUT"  // what Swift calls it
                                           : "store answered 403 InvalidAccessKeyId to PUT");
  CHECK_ERR(store->head(fresh_key()), Errc::kStore);
}

void an_object_larger_than_one_copy_is_copied_in_parts() {
  S3Options small = S3Place::options();
  small.copy_in_parts_from_bytes = 6U << 20;
  small.copy_part_bytes = 5U << 20;
  const std::unique_ptr<S3Store> store = make_s3(small);
  const std::string bytes = pattern((11U << 20) + 3);
  const TempFile file(bytes);
  // Without '%': of a part's source Ceph 16 decodes it twice, and its gateway falls over a '%' that is none then. No
  // key that is made here has one.
  const ObjectKey from = key_of("suite/" + random_hex(8) + "/odd ~ \xC3\xBC + (1)&'=.bin");
  const ObjectKey to = fresh_key();
  CHECK_OK(store->put(from, file.whole(), text_meta()));
  ObjectMeta meta = text_meta();
  meta.content_type = "image/png";
  CHECK_OK(store->copy(from, to, meta));
  CHECK_OK(store->copy(from, to, meta));  // may be repeated
  CHECK_OK(store->remove(from));
  check_bytes(get_range(*store, to, {0, bytes.size()}), bytes);
  const HttpAnswer head = CHECK_OK(store->client().call({.method = "HEAD", .key = to.str()}));
  CHECK_EQ(head.header("content-type"), "image/png");
  CHECK_EQ(head.header("cache-control"), "private, max-age=60");
  CHECK_EQ(head.header("content-disposition"), "attachment; filename=\"a.txt\"");
  CHECK_EQ(head.header("x-amz-meta-attachment-id"), "0198c0de");
  CHECK_OK(store->remove(to));
  CHECK(CHECK_OK(list_multipart(store->client(), "suite/")).uploads.empty());
}

void a_dead_endpoint_is_a_passing_store_error_within_5_seconds() {
  S3Options options = S3Place::options();
  options.endpoint = "http://127.0.0.1:9";
  const std::unique_ptr<S3Store> store = make_s3(options);
  const auto begun = std::chrono::steady_clock::now();
  const auto info = store->head(fresh_key());
  CHECK(!info);
  CHECK_EQ(info.error().code, Errc::kStore);
  CHECK(info.error().retryable);
  CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds(5));
}

}  // namespace

int main() {
  if (real::is_skipped()) return 0;
  const CMUnitTest tests[] = {
      CASE(a_presigned_url_works_with_plain_curl),
      CASE(a_presigned_url_with_one_changed_character_is_refused),
      CASE(a_presigned_url_expires),
      CASE(presigned_overrides_replace_what_was_stored),
      CASE(a_presigned_path_with_the_host_is_the_presigned_url),
      CASE(a_missing_bucket_is_not_ready_and_is_made_by_prepare),
      CASE(a_wrong_secret_is_a_lasting_store_error),
      CASE(a_strict_store_refuses_another_region_and_names_its_own),
      CASE(a_refused_large_upload_says_why_and_the_next_call_works),
      CASE(an_object_larger_than_one_copy_is_copied_in_parts),
      CASE(a_dead_endpoint_is_a_passing_store_error_within_5_seconds),
  };
  return run_store_suite<S3Place>("contract_s3", tests);
}

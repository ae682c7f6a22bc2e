// s3_tls_test.cc — a real S3 store behind TLS: the suite of every BlobStore and more by virtual host, and who is
// trusted.
//
// Needs    runs when S3_TLS_ENDPOINT, S3_TLS_CA_FILE, S3_TLS_OTHER_CA_FILE and the S3 keys are set; tests/with-servers
//          sets them. The certificate is for the endpoint's name and one label below it; the other authority signed
//          nothing.
#include <curl/curl.h>

#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>

#include "storage/s3.h"
#include "store_suite.h"

using namespace cloakroom;         // NOLINT: a test
using namespace cloakroom::suite;  // NOLINT: a test

namespace {

struct SystemClock final : Clock {
  TimePoint now() const override { return system_now(); }
};
const SystemClock kClock;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

S3Options options(S3Addressing addressing) {
  static const std::string bucket = "tls-" + random_hex(6);
  S3Options made;
  made.endpoint = environment("S3_TLS_ENDPOINT");
  made.region = environment("S3_REGION");
  made.bucket = bucket;
  made.access_key_id = environment("S3_ACCESS_KEY_ID");
  made.secret_access_key = environment("S3_SECRET_ACCESS_KEY");
  made.ca_file = environment("S3_TLS_CA_FILE");
  made.addressing = addressing;
  return made;
}

std::unique_ptr<S3Store> make_s3(const S3Options& with) {
  return CHECK_OK(S3Store::make(with, kClock));
}

// What the suite runs on: by virtual host, the way that only TLS and names make hard.
struct VirtualPlace {
  static constexpr bool kKeepsType = true;
  static S3Store& store() {
    static const std::unique_ptr<S3Store> s3 = [] {
      std::unique_ptr<S3Store> made = make_s3(options(S3Addressing::kVirtual));
      CHECK_OK(made->prepare());
      return made;
    }();
    return *s3;
  }
};

S3Store& path_store() {
  static const std::unique_ptr<S3Store> s3 = [] {
    std::unique_ptr<S3Store> made = make_s3(options(S3Addressing::kPath));
    CHECK_OK(made->prepare());
    return made;
  }();
  return *s3;
}

struct Fetched {
  CURLcode code = CURLE_OK;
  long status = 0;
  std::string body;
};

std::size_t append_to(char* data, std::size_t size, std::size_t count, void* text) noexcept {
  static_cast<std::string*>(text)->append(data, size * count);
  return size * count;
}

// Plain curl, as a browser would; a body makes it a PUT.
Fetched fetch(const std::string& url, const std::string* body = nullptr) {
  const std::unique_ptr<CURL, void (*)(CURL*)> handle(curl_easy_init(), curl_easy_cleanup);
  const std::unique_ptr<curl_slist, void (*)(curl_slist*)> headers(
      curl_slist_append(nullptr, "Content-Type: text/plain"), curl_slist_free_all);
  Fetched fetched;
  curl_easy_setopt(handle.get(), CURLOPT_URL, url.c_str());
  curl_easy_setopt(handle.get(), CURLOPT_PROXY, "");
  curl_easy_setopt(handle.get(), CURLOPT_CAINFO, environment("S3_TLS_CA_FILE").c_str());
  curl_easy_setopt(handle.get(), CURLOPT_TIMEOUT, 15L);
  curl_easy_setopt(handle.get(), CURLOPT_WRITEFUNCTION, append_to);
  curl_easy_setopt(handle.get(), CURLOPT_WRITEDATA, &fetched.body);
  if (body != nullptr) {
    curl_easy_setopt(handle.get(), CURLOPT_CUSTOMREQUEST, "PUT");
    curl_easy_setopt(handle.get(), CURLOPT_POSTFIELDSIZE, static_cast<long>(body->size()));
    curl_easy_setopt(handle.get(), CURLOPT_POSTFIELDS, body->data());
    curl_easy_setopt(handle.get(), CURLOPT_HTTPHEADER, headers.get());
  }
  fetched.code = curl_easy_perform(handle.get());
  curl_easy_getinfo(handle.get(), CURLINFO_RESPONSE_CODE, &fetched.status);
  return fetched;
}

void both_styles_name_the_same_objects() {
  CHECK_EQ(VirtualPlace::store().host().substr(0, 4), "tls-");
  CHECK_EQ(path_store().host().substr(0, 13), "s3.localhost:");
  const TempFile file("one object");
  const ObjectKey key = fresh_key();
  CHECK_OK(VirtualPlace::store().put(key, file.whole(), text_meta()));
  CHECK_EQ(get_range(path_store(), key, {0, 10}), "one object");
  CHECK_OK(path_store().remove(key));
  CHECK_ERR(VirtualPlace::store().head(key), Errc::kNotFound);
}

void a_large_file_goes_in_parts_side_by_side() {
  S3Options small_parts = options(S3Addressing::kVirtual);
  small_parts.parts.wanted_part_bytes = 5U << 20;
  small_parts.multipart_from_bytes = 6U << 20;
  const auto store = make_s3(small_parts);
  const std::string bytes = pattern((11U << 20) + 3);
  const TempFile file(bytes);
  check_round_trip(*store, fresh_key(), file.whole(), bytes);
}

void a_listing_names_what_is_there() {
  const TempFile file("x");
  const std::string prefix = "listed/" + random_hex(4) + "/";
  for (const char* name : {"a", "b c+\xC3\xBC"})
    CHECK_OK(VirtualPlace::store().put(key_of(prefix + name), file.whole(), {}));
  for (S3Store* store : {&path_store(), &VirtualPlace::store()}) {
    StringSink sink;
    const std::string query = "list-type=2&encoding-type=url&prefix=" + percent_encode(prefix);
    CHECK_EQ(CHECK_OK(store->client().call({.method = "GET", .query = query, .sink = &sink})).status, 200);
    CHECK(sink.text.find("<KeyCount>2</KeyCount>") != std::string::npos);
  }
}

void presigned_urls_of_both_styles_work_for_plain_curl() {
  for (S3Store* store : {&path_store(), &VirtualPlace::store()}) {
    const TempFile file("presigned");
    const ObjectKey key = key_of("odd ~ \xC3\xBC + (1)%&'=.txt");
    CHECK_OK(store->put(key, file.whole(), text_meta()));
    const std::string url = CHECK_OK(store->presign(key, {.expires = std::chrono::seconds(60)}));
    CHECK_EQ(url.substr(0, 8), "https://");
    const Fetched got = fetch(url);
    CHECK_EQ(got.code, CURLE_OK);
    CHECK_EQ(got.body, "presigned");
    CHECK_EQ(fetch(url.substr(0, url.size() - 1) + (url.back() == '0' ? "1" : "0")).status, 403);

    const std::string sent = "by a browser";
    const std::string put = CHECK_OK(store->client().presign_url(
        {.method = "PUT",
         .key = "browser.txt",
         .headers = {{"Content-Type", "text/plain"}, {"Content-Length", std::to_string(sent.size())}},
         .expires = std::chrono::seconds(60),
         .for_browser = true}));
    CHECK_EQ(fetch(put, &sent).status, 200);
    CHECK_EQ(get_range(*store, key_of("browser.txt"), {0, sent.size()}), sent);
  }
}

// Lasting, so that nobody tries again, and in words that say which of the two it is.
void check_mistrusted(const S3Options& with, const std::string& word) {
  const auto store = make_s3(with);
  const TempFile file(pattern(1U << 20));
  const auto stored = store->put(fresh_key(), file.whole(), {});
  CHECK(!stored);
  const Status ready = store->ready();
  CHECK(!ready);
  for (const Error& error : {stored.error(), ready.error()}) {
    CHECK(error.code == Errc::kStore && !error.retryable && is_mistrust(error));
    CHECK_EQ(error.detail.substr(0, 24), "cannot trust the store: ");
    if (error.detail.find(word) == std::string::npos) CHECK_EQ(error.detail, word);
  }
}

void an_unknown_authority_is_not_trusted() {
  S3Options system = options(S3Addressing::kPath);
  system.ca_file.clear();
  check_mistrusted(system, "unable to get local issuer certificate");
  S3Options other = options(S3Addressing::kPath);
  other.ca_file = environment("S3_TLS_OTHER_CA_FILE");
  check_mistrusted(other, "unable to get local issuer certificate");
}

void a_certificate_of_another_host_is_not_trusted() {
  S3Options wrong = options(S3Addressing::kPath);
  wrong.endpoint.replace(wrong.endpoint.find("s3.localhost"), 12, "127.0.0.1");
  check_mistrusted(wrong, "127.0.0.1");
  // a wildcard stands for one label
  S3Options deep = options(S3Addressing::kVirtual);
  deep.endpoint.replace(deep.endpoint.find("s3.localhost"), 12, "deeper.s3.localhost");
  check_mistrusted(deep, "deeper.s3.localhost");
}

void a_file_of_authorities_that_is_missing_is_said() {
  S3Options missing = options(S3Addressing::kPath);
  missing.ca_file = "/nonexistent/authority.pem";
  check_mistrusted(missing, "/nonexistent/authority.pem");
}

}  // namespace

int main() {
  if (environment("S3_TLS_ENDPOINT").empty()) {
    std::printf("1..0 # SKIP S3_TLS_ENDPOINT is not set\n");
    return 0;
  }
  const CMUnitTest tests[] = {
      CASE(both_styles_name_the_same_objects),
      CASE(a_large_file_goes_in_parts_side_by_side),
      CASE(a_listing_names_what_is_there),
      CASE(presigned_urls_of_both_styles_work_for_plain_curl),
      CASE(an_unknown_authority_is_not_trusted),
      CASE(a_certificate_of_another_host_is_not_trusted),
      CASE(a_file_of_authorities_that_is_missing_is_said),
  };
  return run_store_suite<VirtualPlace>("contract_s3_tls", tests);
}

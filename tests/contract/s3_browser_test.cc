// s3_browser_test.cc — what a browser sends to a real store with what we signed for it: a presigned PUT, a POST form.
#include <curl/curl.h>

#include <chrono>
#include <memory>
#include <string>

#include "real_store.h"
#include "store_suite.h"

using namespace cloakroom;         // NOLINT: a test
using namespace cloakroom::suite;  // NOLINT: a test

namespace {

std::size_t append_to(char* data, std::size_t size, std::size_t count, void* text) noexcept {
  static_cast<std::string*>(text)->append(data, size * count);
  return size * count;
}

struct Answer {
  long status = 0;
  std::string body;
};

// Plain curl: no signing, no header of ours but those given.
class Browser {
 public:
  Browser() : handle_(curl_easy_init(), curl_easy_cleanup) {
    curl_easy_setopt(handle_.get(), CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(handle_.get(), CURLOPT_TIMEOUT, 15L);
    curl_easy_setopt(handle_.get(), CURLOPT_WRITEFUNCTION, append_to);
  }

  Answer put(const std::string& url, const std::string& body, const StoreHeaders& headers) {
    curl_easy_setopt(handle_.get(), CURLOPT_CUSTOMREQUEST, "PUT");
    curl_easy_setopt(handle_.get(), CURLOPT_POSTFIELDSIZE, static_cast<long>(body.size()));
    curl_easy_setopt(handle_.get(), CURLOPT_POSTFIELDS, body.data());
    std::unique_ptr<curl_slist, void (*)(curl_slist*)> list(curl_slist_append(nullptr, "Expect:"), curl_slist_free_all);
    for (const StoreHeader& h : headers) curl_slist_append(list.get(), (h.name + ": " + h.value).c_str());
    curl_easy_setopt(handle_.get(), CURLOPT_HTTPHEADER, list.get());
    return send(url);
  }

  Answer post(const PostForm& form, const std::string& file) {
    const std::unique_ptr<curl_mime, void (*)(curl_mime*)> mime(curl_mime_init(handle_.get()), curl_mime_free);
    const auto add = [&mime](const std::string& name, const std::string& value) {
      curl_mimepart* part = curl_mime_addpart(mime.get());
      curl_mime_name(part, name.c_str());
      curl_mime_data(part, value.data(), value.size());
      return part;
    };
    for (const FormField& field : form.fields) add(field.name, field.value);
    curl_mime_filename(add("file", file), "whatever.bin");
    curl_easy_setopt(handle_.get(), CURLOPT_MIMEPOST, mime.get());
    return send(form.url);
  }

 private:
  Answer send(const std::string& url) {
    Answer answer;
    curl_easy_setopt(handle_.get(), CURLOPT_URL, url.c_str());
    curl_easy_setopt(handle_.get(), CURLOPT_WRITEDATA, &answer.body);
    CHECK_EQ(curl_easy_perform(handle_.get()), CURLE_OK);
    curl_easy_getinfo(handle_.get(), CURLINFO_RESPONSE_CODE, &answer.status);
    return answer;
  }

  std::unique_ptr<CURL, void (*)(CURL*)> handle_;
};

HttpAnswer stored(const std::string& key) {
  return CHECK_OK(real::client().call({.method = "HEAD", .key = key}));
}

void check_refused(const Answer& answer, const std::string& key) {
  if (answer.status != 403 && answer.status != 400) {
    t::raise(__FILE__, __LINE__, "wanted a refusal, got " + std::to_string(answer.status) + "\n" + answer.body);
  }
  CHECK_EQ(stored(key).status, 404);
}

void a_presigned_put_takes_exactly_the_signed_type_and_length() {
  const std::string key = "put/" + random_hex(8) + " \xC3\xBC+.png";
  const std::string url = CHECK_OK(real::client().presign_url(
      {.method = "PUT",
       .key = key,
       .headers = {{"content-type", "image/png"}, {"content-length", "5"}, {"x-amz-meta-id", "7"}},
       .expires = std::chrono::seconds(60),
       .for_browser = true}));
  CHECK(url.find("X-Amz-SignedHeaders=content-length%3Bcontent-type%3Bhost%3Bx-amz-meta-id") != std::string::npos);
  check_refused(Browser().put(url, "12345", {{"Content-Type", "text/html"}, {"x-amz-meta-id", "7"}}), key);
  check_refused(Browser().put(url, "123456", {{"Content-Type", "image/png"}, {"x-amz-meta-id", "7"}}), key);
  check_refused(Browser().put(url, "12345", {{"Content-Type", "image/png"}}), key);
  CHECK_EQ(Browser().put(url, "12345", {{"Content-Type", "image/png"}, {"x-amz-meta-id", "7"}}).status, 200);
  const HttpAnswer object = stored(key);
  CHECK_EQ(object.header("content-length"), "5");
  CHECK_EQ(object.header("content-type"), "image/png");
  CHECK_EQ(object.header("x-amz-meta-id"), "7");
}

PostForm form_for(S3Client& from, const std::string& key) {
  return CHECK_OK(from.presign_post({.key = key,
                                     .content_type = "image/png",
                                     .min_bytes = 2,
                                     .max_bytes = 10,
                                     .expires = std::chrono::seconds(60),
                                     .extra = {{"x-amz-meta-id", "7"}}}));
}

FormField& field(PostForm& form, std::string_view name) {
  for (FormField& f : form.fields) {
    if (f.name == name) return f;
  }
  t::raise(__FILE__, __LINE__, "no field " + std::string(name));
}

void a_post_form_is_taken_with_201() {
  const std::string key = "post/" + random_hex(8) + " \xC3\xBC+\"'.png";
  const Answer answer = Browser().post(form_for(real::client(), key), "0123456789");
  if (answer.status != 201) t::raise(__FILE__, __LINE__, std::to_string(answer.status) + "\n" + answer.body);
  const HttpAnswer object = stored(key);
  CHECK_EQ(object.header("content-length"), "10");
  CHECK_EQ(object.header("content-type"), "image/png");
  CHECK_EQ(object.header("x-amz-meta-id"), "7");
}

void a_post_of_another_size_is_refused() {
  const std::string key = "post/" + random_hex(8);
  check_refused(Browser().post(form_for(real::client(), key), "0123456789a"), key);
  check_refused(Browser().post(form_for(real::client(), key), "0"), key);
}

void a_post_with_a_changed_field_is_refused() {
  const std::string key = "post/" + random_hex(8);
  PostForm form = form_for(real::client(), key);
  field(form, "Content-Type").value = "text/html";
  check_refused(Browser().post(form, "01234"), key);
  form = form_for(real::client(), key + "x");
  field(form, "key").value = key;
  check_refused(Browser().post(form, "01234"), key);
  form = form_for(real::client(), key);
  field(form, "x-amz-meta-id").value = "8";
  check_refused(Browser().post(form, "01234"), key);
  form = form_for(real::client(), key);
  char& last = field(form, "x-amz-signature").value.back();
  last = last == '0' ? '1' : '0';
  check_refused(Browser().post(form, "01234"), key);
}

void a_post_form_expires() {
  const real::SystemClock past(std::chrono::minutes(5));
  const std::unique_ptr<S3Client> old = CHECK_OK(S3Client::make(real::options(), past));
  const std::string key = "post/" + random_hex(8);
  check_refused(Browser().post(form_for(*old, key), "01234"), key);
}

}  // namespace

int main() {
  if (real::is_skipped()) return 0;
  const CMUnitTest tests[] = {
      CASE(a_presigned_put_takes_exactly_the_signed_type_and_length),
      CASE(a_post_form_is_taken_with_201),
      CASE(a_post_of_another_size_is_refused),
      CASE(a_post_with_a_changed_field_is_refused),
      CASE(a_post_form_expires),
  };
  return RUN_TESTS("contract_s3_browser", tests);
}

// external_test.cc — which addresses of other places are taken, and the row that is made of one.
#include "domain/external.h"

#include "base/limits.h"
#include "check.h"

using namespace cloakroom;

namespace {

std::string sentence(const std::string& url) {
  const Status checked = check_external_url(url);
  if (checked) return "taken";
  CHECK_EQ(checked.error().code, Errc::kInvalid);
  return checked.error().say;
}

bool says(const std::string& url, const std::string& words) {
  return sentence(url).find(words) != std::string::npos;
}

}  // namespace

static void whole_addresses_of_the_web_are_taken() {
  for (const char* url :
       {"https://example.com/a.png", "http://example.com", "HTTPS://EXAMPLE.COM/", "https://example.com:8443/a?b=c&d#e",
        "https://192.0.2.7/x", "https://[2001:db8::1]:443/x", "https://example.com:/x", "http://localhost/x",
        "https://xn--bcher-kva.example/%C3%9Cber?a=[1]", "https://media_1.example.com/a@b:c?u=me@example.com",
        "https://example.com?q", "https://example.com/a//b/../c"}) {
    CHECK_EQ(sentence(url), "taken");
  }
}

static void all_else_is_no_address() {
  for (const char* url : {"", "/a.png", "//example.com/a.png", "example.com/a.png", "https:example.com", "https:/x",
                          "javascript:alert(1)", "data:text/html,x", "ftp://example.com/", "file:///etc/passwd",
                          "javascript://example.com/%0aalert(1)", " https://example.com", "https", "://example.com"}) {
    CHECK(says(url, "begins with https:// or http://"));
  }
}

static void what_an_address_cannot_hold_is_refused() {
  for (const char* bad :
       {" ", "\t", "\r\nSet-Cookie: a=b", "\x7f", "\\", "\xc3\xbc", "<", "\"", "%", "%4", "%zz", "{x}"}) {
    CHECK(says("https://example.com/a" + std::string(bad), "percent-encode"));
  }
  CHECK(says(std::string("https://example.com/a\0b", 23), "percent-encode"));
  CHECK(says("https://good.example\\@evil.example/", "percent-encode"));
}

static void users_and_passwords_are_refused() {
  for (const char* url : {"https://me@example.com/", "https://me:secret@example.com/", "https://@example.com/",
                          "https://good.example@evil.example", "https://me@[::1]/"}) {
    CHECK(says(url, "leave it out"));
    CHECK(!says(url, "secret"));
  }
}

static void a_host_is_needed_and_a_port_is_a_number() {
  for (const char* url :
       {"https://", "https:///a", "https://?a", "https://#a", "https://:443/", "https://a:b/", "https://a:65536/",
        "https://a:1:2/", "https://a:-1/", "https://[::1/", "https://[]/", "https://[::g]/", "https://[::1]x/",
        "https://[1.2.3.4]/", "https://a%62c.example/", "https://a,b/", "https://a$b/"}) {
    CHECK(says(url, "host name"));
  }
}

static void the_longest_is_as_long_as_the_limit() {
  const std::string start = "https://example.com/";
  const std::string longest = start + std::string(limits::kExternalUrlBytes - start.size(), 'a');
  CHECK_EQ(sentence(longest), "taken");
  CHECK(says(longest + "a", "2048 bytes"));
}

static void a_row_has_an_address_and_no_object() {
  const TimePoint now{std::chrono::seconds(1700000000)};
  const ExternalFile file{.url = "https://example.com/a.png",
                          .filename = "C:\\x\\a\nb.png",
                          .mime_type = "image/png",
                          .uploader_id = "u1",
                          .dialog_id = "d1",
                          .message_id = {},
                          .account_id = "7"};
  const Attachment a = CHECK_OK(external_attachment(file, now));
  CHECK(a.external_url == file.url && a.filename == "ab.png" && a.mime_type == "image/png");
  CHECK(a.uploader_id == "u1" && a.dialog_id == "d1" && a.account_id == "7" && !a.message_id);
  CHECK(a.key.empty() && a.size_bytes == 0 && a.created_at == now && a.status == AttachmentStatus::kUploaded);
  ExternalFile linked = file;
  linked.message_id = "m1";
  CHECK(CHECK_OK(external_attachment(linked, now)).status == AttachmentStatus::kLinked);
  linked.url = "https://me@example.com/";
  CHECK_ERR(external_attachment(linked, now), Errc::kInvalid);
}

int main() {
  const CMUnitTest tests[] = {
      CASE(whole_addresses_of_the_web_are_taken),    CASE(all_else_is_no_address),
      CASE(what_an_address_cannot_hold_is_refused),  CASE(users_and_passwords_are_refused),
      CASE(a_host_is_needed_and_a_port_is_a_number), CASE(the_longest_is_as_long_as_the_limit),
      CASE(a_row_has_an_address_and_no_object),
  };
  return cmocka_run_group_tests_name("external", tests, nullptr, nullptr);
}

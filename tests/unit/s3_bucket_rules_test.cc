// s3_bucket_rules_test.cc — a rule of ours is added once, and nobody else's is lost.
#include "storage/s3_bucket_rules.h"

#include <string>
#include <vector>

#include "check.h"

using namespace cloakroom;  // NOLINT: a test

namespace {

const std::vector<std::string> kOrigins{"https://chat.example.com", "http://127.0.0.1:8080"};

std::size_t count(std::string_view text, std::string_view word) {
  std::size_t found = 0;
  for (std::size_t at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1)) ++found;
  return found;
}

void a_bucket_without_rules_gets_ours() {
  CHECK_EQ(CHECK_OK(with_cors_rule("", kOrigins)),
           "<CORSConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><CORSRule><ID>cloakroom</ID>"
           "<AllowedOrigin>https://chat.example.com</AllowedOrigin><AllowedOrigin>http://127.0.0.1:8080</AllowedOrigin>"
           "<AllowedMethod>GET</AllowedMethod><AllowedMethod>HEAD</AllowedMethod><AllowedMethod>PUT</AllowedMethod>"
           "<AllowedMethod>POST</AllowedMethod><AllowedHeader>*</AllowedHeader><ExposeHeader>ETag</ExposeHeader>"
           "<MaxAgeSeconds>3600</MaxAgeSeconds></CORSRule></CORSConfiguration>");
  CHECK_EQ(CHECK_OK(with_abort_rule("", "pre/")),
           "<LifecycleConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Rule><ID>cloakroom</ID>"
           "<Filter><Prefix>pre/</Prefix></Filter><Status>Enabled</Status><AbortIncompleteMultipartUpload>"
           "<DaysAfterInitiation>7</DaysAfterInitiation></AbortIncompleteMultipartUpload></Rule>"
           "</LifecycleConfiguration>");
}

void rules_of_others_stay_and_ours_is_replaced() {
  const std::string before =
      "<?xml version=\"1.0\"?><CORSConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><CORSRule>"
      "<ID>cloakroom</ID><AllowedOrigin>https://old.example</AllowedOrigin></CORSRule><CORSRule><AllowedMethod>GET"
      "</AllowedMethod><AllowedOrigin>https://a&amp;b.example</AllowedOrigin></CORSRule></CORSConfiguration>";
  const std::string once = CHECK_OK(with_cors_rule(before, kOrigins));
  CHECK(once.find("https://a&amp;b.example") != std::string::npos);
  CHECK(once.find("https://old.example") == std::string::npos);
  CHECK_EQ(count(once, "<CORSRule>"), 2u);
  CHECK_EQ(CHECK_OK(with_cors_rule(once, kOrigins)), once);

  const std::string life =
      "<LifecycleConfiguration><Rule><ID>keep</ID><Prefix>logs/</Prefix><Status>Enabled</Status><Expiration><Days>9"
      "</Days></Expiration></Rule></LifecycleConfiguration>";
  const std::string more = CHECK_OK(with_abort_rule(life, ""));
  CHECK(more.find("<ID>keep</ID><Prefix>logs/</Prefix>") != std::string::npos);
  CHECK_EQ(CHECK_OK(with_abort_rule(more, "")), more);
}

void another_document_is_refused_and_not_overwritten() {
  for (const char* bad : {"<Error/>", "no xml", "<CORSConfiguration>", "<a><CORSConfiguration/></a>"}) {
    CHECK_ERR(with_cors_rule(bad, kOrigins), Errc::kInvalid);
    CHECK_ERR(with_abort_rule(bad, ""), Errc::kInvalid);
  }
}

void an_abort_rule_counts_when_it_is_enabled_and_covers_our_keys() {
  const auto rule = [](const std::string& inside) {
    return "<LifecycleConfiguration><Rule>" + inside +
           "<AbortIncompleteMultipartUpload><DaysAfterInitiation>2</DaysAfterInitiation>"
           "</AbortIncompleteMultipartUpload></Rule></LifecycleConfiguration>";
  };
  CHECK(has_abort_rule(CHECK_OK(with_abort_rule("", "pre/")), "pre/"));
  CHECK(has_abort_rule(CHECK_OK(with_abort_rule("", "pre/")), "pre/deeper/"));
  CHECK(!has_abort_rule(CHECK_OK(with_abort_rule("", "pre/")), ""));
  CHECK(has_abort_rule(rule("<Prefix></Prefix><Status>Enabled</Status>"), "pre/"));
  CHECK(has_abort_rule(rule("<Filter/><Status>Enabled</Status>"), "pre/"));
  CHECK(!has_abort_rule(rule("<Prefix>other/</Prefix><Status>Enabled</Status>"), "pre/"));
  CHECK(!has_abort_rule(rule("<Prefix></Prefix><Status>Disabled</Status>"), "pre/"));
  CHECK(!has_abort_rule(rule("<Filter><Tag><Key>a</Key></Tag></Filter><Status>Enabled</Status>"), ""));
  CHECK(!has_abort_rule("<LifecycleConfiguration><Rule><Status>Enabled</Status></Rule></LifecycleConfiguration>", ""));
  CHECK(!has_abort_rule("<Error/>", ""));
  CHECK(!has_abort_rule("", ""));
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      CASE(a_bucket_without_rules_gets_ours),
      CASE(rules_of_others_stay_and_ours_is_replaced),
      CASE(another_document_is_refused_and_not_overwritten),
      CASE(an_abort_rule_counts_when_it_is_enabled_and_covers_our_keys),
  };
  return RUN_TESTS("s3_bucket_rules", tests);
}

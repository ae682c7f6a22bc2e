// post_policy_test.cc — the form of a browser upload: what is in it, what is signed, and what is refused.
#include "storage/post_policy.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include "base/encode.h"
#include "base/json.h"
#include "check.h"

using namespace cloakroom;  // NOLINT: a test

namespace {

std::string read_text(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) t::raise(__FILE__, __LINE__, "cannot open '" + path + "'");
  return {std::istreambuf_iterator<char>(in), {}};
}

struct Signer {
  Credentials credentials{"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", ""};
  SigningKeyCache keys;
  SigningContext context{credentials, "us-east-1", keys};
};

const TimePoint kNow{std::chrono::seconds(1451347200)};  // 2015-12-29T00:00:00Z

PostPolicyInput photo() {
  return {.bucket = "sigv4examplebucket",
          .key = "incoming/\xC3\xBC \"1\".png",
          .content_type = "image/png",
          .min_bytes = 1,
          .max_bytes = 1048576,
          .expires = std::chrono::seconds(900),
          .now = kNow};
}

std::string value_of(const FormFields& fields, std::string_view name) {
  const auto found = std::find_if(fields.begin(), fields.end(), [&](const FormField& f) { return f.name == name; });
  return found == fields.end() ? "(absent)" : found->value;
}

// RFC 4648 section 4 to section 5, which we can decode.
std::string decoded(std::string base64) {
  std::replace(base64.begin(), base64.end(), '+', '-');
  std::replace(base64.begin(), base64.end(), '/', '_');
  base64.resize(base64.find_last_not_of('=') + 1);
  return CHECK_OK(base64url_decode(base64));
}

void the_documented_policy_has_the_documented_signature() {
  const char* folder = std::getenv("CLOAKROOM_TEST_DATA");
  const Json docs =
      CHECK_OK(parse_json(read_text(std::string(folder != nullptr ? folder : "tests/data") + "/sigv4/aws-docs.json")));
  const json_t* example = json_object_get(json_object_get(docs.get(), "aws_docs"), "post_policy");
  Signer signer;
  CHECK_EQ(
      post_policy_stage::signature(json_string_value(json_object_get(example, "policy_base64")), kNow, signer.context),
      json_string_value(json_object_get(example, "signature")));
}

void the_fields_stand_in_their_order_and_carry_a_signed_policy() {
  Signer signer;
  const FormFields fields = CHECK_OK(post_policy_form(photo(), signer.context));
  std::string names;
  for (const FormField& field : fields) names += field.name + " ";
  CHECK_EQ(names,
           "key bucket Content-Type success_action_status x-amz-algorithm x-amz-credential x-amz-date policy "
           "x-amz-signature ");
  CHECK_EQ(value_of(fields, "key"), "incoming/\xC3\xBC \"1\".png");
  CHECK_EQ(value_of(fields, "success_action_status"), "201");
  CHECK_EQ(value_of(fields, "x-amz-credential"), "AKIAIOSFODNN7EXAMPLE/20151229/us-east-1/s3/aws4_request");
  CHECK_EQ(value_of(fields, "x-amz-date"), "20151229T000000Z");
  CHECK_EQ(decoded(value_of(fields, "policy")),
           "{\"expiration\":\"2015-12-29T00:15:00.000Z\",\"conditions\":["
           "{\"key\":\"incoming/\xC3\xBC \\\"1\\\".png\"},{\"bucket\":\"sigv4examplebucket\"},"
           "{\"Content-Type\":\"image/png\"},{\"success_action_status\":\"201\"},"
           "{\"x-amz-algorithm\":\"AWS4-HMAC-SHA256\"},"
           "{\"x-amz-credential\":\"AKIAIOSFODNN7EXAMPLE/20151229/us-east-1/s3/aws4_request\"},"
           "{\"x-amz-date\":\"20151229T000000Z\"},[\"content-length-range\",1,1048576]]}");
  CHECK_EQ(value_of(fields, "x-amz-signature"),
           post_policy_stage::signature(value_of(fields, "policy"), kNow, signer.context));
}

void a_session_token_and_more_fields_are_fixed_by_conditions_too() {
  Signer signer;
  signer.credentials.session_token = "token/1+2==";
  PostPolicyInput input = photo();
  input.extra = {{"Content-Disposition", "attachment"}, {"x-amz-meta-id", "7"}};
  const FormFields fields = CHECK_OK(post_policy_form(input, signer.context));
  CHECK_EQ(value_of(fields, "x-amz-security-token"), "token/1+2==");
  CHECK_EQ(value_of(fields, "Content-Disposition"), "attachment");
  const std::string policy = decoded(value_of(fields, "policy"));
  for (const char* condition : {"{\"x-amz-security-token\":\"token/1+2==\"}",
                                "{\"Content-Disposition\":\"attachment\"}", "{\"x-amz-meta-id\":\"7\"}"}) {
    CHECK(policy.find(condition) != std::string::npos);
  }
}

void what_cannot_stand_in_a_form_is_refused() {
  Signer signer;
  const auto refused = [&](auto change) {
    PostPolicyInput input = photo();
    change(input);
    CHECK_ERR(post_policy_form(input, signer.context), Errc::kInvalid);
  };
  refused([](PostPolicyInput& i) { i.key = ""; });
  refused([](PostPolicyInput& i) { i.key = "a/${filename}"; });
  refused([](PostPolicyInput& i) { i.key = "a\nb"; });
  refused([](PostPolicyInput& i) { i.key = "a\xFF"; });
  refused([](PostPolicyInput& i) { i.key = std::string_view("a\0b", 3); });
  refused([](PostPolicyInput& i) { i.content_type = "image/png\r\nX: y"; });
  refused([](PostPolicyInput& i) { i.min_bytes = i.max_bytes + 1; });
  refused([](PostPolicyInput& i) { i.max_bytes = UINT64_MAX; });
  refused([](PostPolicyInput& i) { i.expires = std::chrono::seconds(0); });
  refused([](PostPolicyInput& i) { i.expires = std::chrono::seconds(604801); });
  for (const char* name : {"Key", "policy", "X-Amz-Signature", "file", "content-type", "x-amz-date", ""}) {
    refused([&](PostPolicyInput& i) { i.extra = {{name, "x"}}; });
  }
}

void an_error_never_holds_a_secret() {
  Signer signer;
  signer.credentials.session_token = "secret\ntoken";
  const auto form = post_policy_form(photo(), signer.context);
  CHECK(!form);
  CHECK_EQ(form.error().detail,
           "cannot sign a POST policy: the value of field 'x-amz-security-token' cannot stand in it");
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      CASE(the_documented_policy_has_the_documented_signature),
      CASE(the_fields_stand_in_their_order_and_carry_a_signed_policy),
      CASE(a_session_token_and_more_fields_are_fixed_by_conditions_too),
      CASE(what_cannot_stand_in_a_form_is_refused),
      CASE(an_error_never_holds_a_secret),
  };
  return RUN_TESTS("post_policy", tests);
}

// header_params_test.cc — header parameters, extended values, and the boundary of a form.
#include "http/header_params.h"

#include <string>

#include "base/limits.h"
#include "check.h"
#include "http/multipart.h"

using namespace cloakroom;

namespace {

std::string param(std::string_view header, std::string_view name, QuotedPair rule = QuotedPair::kStandard) {
  const HeaderParams parsed = CHECK_OK(parse_header_params(header, rule));
  const std::string* value = parsed.find(name);
  return value == nullptr ? "(absent)" : *value;
}

}  // namespace

static void names_are_lower_cased_and_values_kept() {
  const HeaderParams parsed = CHECK_OK(parse_header_params(" Form-Data ;\tNAME=Ab; b=\"C d\"", QuotedPair::kStandard));
  CHECK_EQ(parsed.head, "Form-Data");
  CHECK_EQ(parsed.params.size(), 2u);
  CHECK_EQ(*parsed.find("name"), "Ab");
  CHECK_EQ(*parsed.find("b"), "C d");
  CHECK(parsed.find("c") == nullptr);
}

static void separators_inside_quotes_are_text() {
  CHECK_EQ(param("x; a=\"1;b=2, \xC3\x9C\"; c=3", "a"), "1;b=2, \xC3\x9C");
  CHECK_EQ(param("x; a=\"1;b=2\"; c=3", "b"), "(absent)");
}

static void empty_parameters_are_skipped() {
  CHECK_EQ(param("x;; ;a=1;", "a"), "1");
}

static void backslashes_mean_what_the_rule_says() {
  const std::string value = R"(x; a="C:\dir\"q\" \\ end")";
  CHECK_EQ(param(value, "a", QuotedPair::kStandard), R"(C:dir"q" \ end)");
  CHECK_EQ(param(value, "a", QuotedPair::kFormData), R"(C:\dir"q" \ end)");
}

static void what_the_grammar_lacks_is_refused() {
  for (const std::string_view bad :
       {"x; a", "x; a=", "x; =1", "x; a=1 b=2", "x; a = 1", "x; a=\"1", "x; a=\"1\\\"", "x; a=\"1\"b", "x; a=1; A=2",
        "x; a=\xC3\x9C", "x; a=b/c", "x; a=\"1\r\n2\"", "x; a=\"\x7f\"", "x\n; a=1"}) {
    if (parse_header_params(bad, QuotedPair::kFormData)) t::raise(__FILE__, __LINE__, "accepted: " + std::string(bad));
  }
  CHECK_ERR(parse_header_params(std::string_view("x; a=\"\0\"", 8), QuotedPair::kStandard), Errc::kInvalid);
}

static void extended_values_are_decoded() {
  CHECK_EQ(CHECK_OK(decode_ext_value("UTF-8''%e2%82%ac%20rates")), "\xE2\x82\xAC rates");
  CHECK_EQ(CHECK_OK(decode_ext_value("utf-8'en'it's")), "it's");
}

static void extended_values_that_cannot_be_trusted_are_refused() {
  for (const std::string_view bad : {"", "plain", "UTF-8'plain", "ISO-8859-1''%A3", "UTF-8''%A3", "UTF-8''%4",
                                     "UTF-8''%zz", "UTF-8''a%00b", "UTF-8''%ED%A0%80"}) {
    CHECK_ERR(decode_ext_value(bad), Errc::kInvalid);
  }
}

static void a_boundary_is_found_as_token_or_quoted() {
  CHECK_EQ(CHECK_OK(multipart_boundary("multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxk")),
           "----WebKitFormBoundary7MA4YWxk");
  CHECK_EQ(CHECK_OK(multipart_boundary("Multipart/Form-Data;charset=utf-8; Boundary=\"a b:c=/?(d),e\"")),
           "a b:c=/?(d),e");
  CHECK_EQ(CHECK_OK(multipart_boundary("multipart/form-data; boundary=\"\\x\"")), "x");
  const std::string longest(limits::kBoundaryBytes, 'a');
  CHECK_EQ(CHECK_OK(multipart_boundary("multipart/form-data; boundary=" + longest)), longest);
}

static void hostile_boundaries_are_refused() {
  const std::string prefix = "multipart/form-data; boundary=";
  CHECK_ERR(multipart_boundary(prefix + std::string(limits::kBoundaryBytes + 1, 'a')), Errc::kInvalid);
  for (const std::string_view bad :
       {"", "\"\"", "\"a \"", "\" \"", "\"a", "a b", "a; boundary=b", "\"a\"b", "\"a\r\nb\"", "\"a\tb\"", "\"a*b\"",
        "a*b", "\"\xC3\x9C\"", "\"a\\\"b\"", "a:b", "a,b"}) {
    const auto result = multipart_boundary(prefix + std::string(bad));
    if (result) t::raise(__FILE__, __LINE__, "accepted: " + std::string(bad));
    CHECK_EQ(result.error().code, Errc::kInvalid);
  }
  CHECK_ERR(multipart_boundary("multipart/form-data"), Errc::kInvalid);
  CHECK_ERR(multipart_boundary("multipart/form-data; xboundary=a"), Errc::kInvalid);
}

static void other_content_types_are_unsupported() {
  for (const std::string_view other :
       {"", "application/json", "multipart/mixed; boundary=a", "multipart/form-data2; boundary=a",
        "text/plain; x=multipart/form-data; boundary=a"}) {
    CHECK_ERR(multipart_boundary(other), Errc::kUnsupportedType);
  }
}

int main() {
  const CMUnitTest tests[] = {
      CASE(names_are_lower_cased_and_values_kept),
      CASE(separators_inside_quotes_are_text),
      CASE(empty_parameters_are_skipped),
      CASE(backslashes_mean_what_the_rule_says),
      CASE(what_the_grammar_lacks_is_refused),
      CASE(extended_values_are_decoded),
      CASE(extended_values_that_cannot_be_trusted_are_refused),
      CASE(a_boundary_is_found_as_token_or_quoted),
      CASE(hostile_boundaries_are_refused),
      CASE(other_content_types_are_unsupported),
  };
  return RUN_TESTS("header_params", tests);
}

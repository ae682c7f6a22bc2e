// part_headers_test.cc — names, file names and types of form parts, as browsers, curl and attackers write them.
#include "http/part_headers.h"

#include <string>

#include "check.h"

using namespace cloakroom;

namespace {

// Ünï "q" %2F ../x.jpg
const std::string kOdd = "\xC3\x9Cn\xC3\xAF \"q\" %2F ../x.jpg";

std::string filename_of(std::string_view params) {
  const PartHeaders part =
      CHECK_OK(parse_part_headers("Content-Disposition: form-data; name=\"f\"" + std::string(params)));
  return part.filename ? *part.filename : "(absent)";
}

std::string refusal(std::string_view lines) {
  const auto result = parse_part_headers(lines);
  if (result) t::raise(__FILE__, __LINE__, "accepted: " + std::string(lines));
  CHECK_EQ(result.error().code, Errc::kInvalid);
  return result.error().say;
}

const std::string kGood = "Content-Disposition: form-data; name=\"f\"";

}  // namespace

static void a_field_has_a_name_and_no_filename() {
  const PartHeaders part = CHECK_OK(parse_part_headers(kGood));
  CHECK_EQ(part.name, "f");
  CHECK(!part.filename.has_value());
  CHECK_EQ(part.content_type, "");
}

static void names_of_headers_and_types_ignore_case_and_order() {
  const PartHeaders part = CHECK_OK(parse_part_headers(
      "CONTENT-TYPE:image/PNG \r\nX-Other: 1\r\ncontent-disposition:FORM-DATA; Name=f; FileName=\"a\""));
  CHECK_EQ(part.name, "f");
  CHECK_EQ(*part.filename, "a");
  CHECK_EQ(part.content_type, "image/PNG");
}

static void the_odd_name_arrives_from_browsers_and_both_curls() {
  CHECK_EQ(filename_of("; filename=\"\xC3\x9Cn\xC3\xAF %22q%22 %2F ../x.jpg\""), kOdd);    // browsers, curl since 7.81
  CHECK_EQ(filename_of("; filename=\"\xC3\x9Cn\xC3\xAF \\\"q\\\" %2F ../x.jpg\""), kOdd);  // curl before, --form-escape
  CHECK_EQ(filename_of("; filename*=UTF-8''%C3%9Cn%C3%AF%20%22q%22%20%252F%20..%2Fx.jpg"), kOdd);
}

static void only_the_three_browser_escapes_are_decoded() {
  CHECK_EQ(filename_of("; filename=\"a%0D%0Ab\""), "a\r\nb");
  CHECK_EQ(filename_of("; filename=\"100%25 %2f %00 %0a %\""), "100%25 %2f %00 %0a %");
  CHECK_EQ(CHECK_OK(parse_part_headers("Content-Disposition: form-data; name=\"a%22b\"")).name, "a\"b");
}

static void windows_paths_keep_their_backslashes() {
  CHECK_EQ(filename_of(R"(; filename="C:\dir\new\x.jpg")"), R"(C:\dir\new\x.jpg)");
}

static void the_extended_filename_wins_wherever_it_stands() {
  CHECK_EQ(filename_of("; filename=\"a\"; filename*=UTF-8''b"), "b");
  CHECK_EQ(filename_of("; filename*=UTF-8''b; filename=\"a\""), "b");
}

static void an_empty_filename_is_present() {
  CHECK_EQ(filename_of("; filename=\"\""), "");
}

static void missing_and_repeated_parameters_are_refused() {
  CHECK(refusal("Content-Disposition: form-data").find("no name") != std::string::npos);
  CHECK(refusal("Content-Disposition: form-data; filename=a").find("no name") != std::string::npos);
  for (const std::string twice :
       {"; name=g", "; NAME=g", "; filename=a; filename=b", "; filename*=UTF-8''a; filename*=UTF-8''b"}) {
    CHECK(refusal(kGood + twice).find("twice") != std::string::npos);
  }
  refusal(kGood + "; filename*=latin1''a");
  refusal(kGood + "; filename=\"a");
}

static void missing_foreign_and_repeated_headers_are_refused() {
  CHECK(refusal("").find("no Content-Disposition") != std::string::npos);
  CHECK(refusal("Content-Type: a/b").find("no Content-Disposition") != std::string::npos);
  CHECK(refusal("Content-Disposition: attachment; name=f").find("not form-data") != std::string::npos);
  CHECK(refusal(kGood + "\r\n" + kGood).find("two headers content-disposition") != std::string::npos);
  CHECK(refusal(kGood + "\r\nContent-Type: a/b\r\ncontent-type: a/c").find("two headers content-type") !=
        std::string::npos);
}

static void encodings_that_change_the_bytes_are_refused() {
  for (const std::string same : {"binary", "8BIT", "7bit"}) {
    CHECK_EQ(CHECK_OK(parse_part_headers(kGood + "\r\nContent-Transfer-Encoding: " + same)).name, "f");
  }
  for (const std::string changed : {"base64", "quoted-printable", "", "x-own"}) {
    CHECK(refusal(kGood + "\r\nContent-Transfer-Encoding: " + changed).find("as they are") != std::string::npos);
  }
}

static void malformed_lines_are_refused() {
  CHECK(refusal(kGood + "\r\n folded: x").find("folded") != std::string::npos);
  CHECK(refusal(kGood + ";\r\n\tfilename=a").find("folded") != std::string::npos);
  CHECK(refusal(" " + kGood).find("folded") != std::string::npos);
  CHECK(refusal(kGood + "\nX: y").find("CRLF") != std::string::npos);
  CHECK(refusal(kGood + "\rX: y").find("CRLF") != std::string::npos);
  CHECK(refusal(kGood + "\r\n\r\nX: y").find("empty line") != std::string::npos);
  for (const std::string bad : {"no colon", ": no name", "X : space before", "\xC3\x9C: y", "a b: c"}) {
    CHECK(refusal(kGood + "\r\n" + bad).find("without a name") != std::string::npos);
  }
  CHECK(refusal(kGood + std::string("\r\nX: a\0b", 8)).find("control") != std::string::npos);
  CHECK(refusal(kGood + "\r\nX: \x7f").find("control") != std::string::npos);
}

int main() {
  const CMUnitTest tests[] = {
      CASE(a_field_has_a_name_and_no_filename),
      CASE(names_of_headers_and_types_ignore_case_and_order),
      CASE(the_odd_name_arrives_from_browsers_and_both_curls),
      CASE(only_the_three_browser_escapes_are_decoded),
      CASE(windows_paths_keep_their_backslashes),
      CASE(the_extended_filename_wins_wherever_it_stands),
      CASE(an_empty_filename_is_present),
      CASE(missing_and_repeated_parameters_are_refused),
      CASE(missing_foreign_and_repeated_headers_are_refused),
      CASE(encodings_that_change_the_bytes_are_refused),
      CASE(malformed_lines_are_refused),
  };
  return RUN_TESTS("part_headers", tests);
}

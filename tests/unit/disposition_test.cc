// disposition_test.cc — file names in Content-Disposition; every result must be a header that cannot be broken out of.
#include "http/disposition.h"

#include <algorithm>
#include <string>

#include "check.h"
#include "http/header_params.h"

using namespace cloakroom;

namespace {

std::string attachment(std::string_view filename) {
  return content_disposition(DispositionKind::kAttachment, filename);
}

// The name a client of today takes from the header.
std::string name_in(const std::string& header) {
  const HeaderParams parsed = CHECK_OK(parse_header_params(header, QuotedPair::kStandard));
  if (const std::string* full = parsed.find("filename*")) return CHECK_OK(decode_ext_value(*full));
  const std::string* plain = parsed.find("filename");
  return plain == nullptr ? "(absent)" : *plain;
}

}  // namespace

static void a_plain_name_needs_no_extended_form() {
  CHECK_EQ(attachment("report 1.pdf"), "attachment; filename=\"report 1.pdf\"");
  CHECK_EQ(content_disposition(DispositionKind::kInline, "a;b='c'.png"), "inline; filename=\"a;b='c'.png\"");
}

static void an_empty_name_is_left_out() {
  CHECK_EQ(attachment(""), "attachment");
  CHECK_EQ(content_disposition(DispositionKind::kInline, ""), "inline");
}

static void other_characters_get_both_forms() {
  CHECK_EQ(attachment("\xC3\x9C"
                      "berblick 1.jpg"),
           "attachment; filename=\"_berblick 1.jpg\"; filename*=UTF-8''%C3%9Cberblick%201.jpg");
  CHECK_EQ(attachment("\xF0\x9F\x98\x80"), "attachment; filename=\"_\"; filename*=UTF-8''%F0%9F%98%80");
}

static void quotes_backslashes_and_percents_stay_out_of_the_fallback() {
  CHECK_EQ(attachment("a\"b\\c%2F.x"), "attachment; filename=\"a_b_c_2F.x\"; filename*=UTF-8''a%22b%5Cc%252F.x");
}

// Stores differ in whether they fold blanks of a signed header.
static void blanks_in_a_row_stay_out_of_the_fallback() {
  CHECK_EQ(attachment("a   b c.x"), "attachment; filename=\"a _ b c.x\"; filename*=UTF-8''a%20%20%20b%20c.x");
  CHECK_EQ(attachment("a b.x"), "attachment; filename=\"a b.x\"");
}

static void control_characters_are_in_neither_form() {
  CHECK_EQ(attachment("a\r\nSet-Cookie: x\x7f.y"), "attachment; filename=\"a__Set-Cookie: x_.y\"");
  CHECK_EQ(attachment(std::string_view("a\0b", 3)), "attachment; filename=\"a_b\"");
  CHECK_EQ(attachment("a\xC2\x85"
                      "b\xC2\x80\xC2\x9F"),
           "attachment; filename=\"a_b__\"");
  CHECK_EQ(name_in(attachment("\xC2\xA0")), "\xC2\xA0");
}

static void ill_formed_utf8_is_replaced() {
  CHECK_EQ(attachment("a\xFF"
                      "b"),
           "attachment; filename=\"a_b\"; filename*=UTF-8''a%EF%BF%BDb");
  CHECK_EQ(attachment("\xC3"), "attachment; filename=\"_\"; filename*=UTF-8''%EF%BF%BD");
  CHECK_EQ(name_in(attachment("\xED\xA0\x80")), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
  CHECK_EQ(name_in(attachment("\xF0\x9F\x98z")), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBDz");
}

static void the_odd_name_comes_back_as_it_was() {
  const std::string odd = "\xC3\x9Cn\xC3\xAF \"q\" %2F ../x.jpg";
  CHECK_EQ(name_in(attachment(odd)), odd);
}

static void every_pair_of_bytes_makes_a_safe_header() {
  for (int a = 0; a < 256; ++a) {
    for (int b = 0; b < 256; ++b) {
      const std::string name{static_cast<char>(a), static_cast<char>(b)};
      const std::string header = attachment(name);
      CHECK(std::all_of(header.begin(), header.end(), [](char c) { return c >= ' ' && c <= '~'; }));
      const std::string back = name_in(header);
      const bool printable = a >= ' ' && a <= '~' && b >= ' ' && b <= '~';
      if (printable) CHECK_EQ(back, name);
    }
  }
}

int main() {
  const CMUnitTest tests[] = {
      CASE(a_plain_name_needs_no_extended_form),      CASE(an_empty_name_is_left_out),
      CASE(other_characters_get_both_forms),          CASE(quotes_backslashes_and_percents_stay_out_of_the_fallback),
      CASE(control_characters_are_in_neither_form),   CASE(ill_formed_utf8_is_replaced),
      CASE(blanks_in_a_row_stay_out_of_the_fallback), CASE(the_odd_name_comes_back_as_it_was),
      CASE(every_pair_of_bytes_makes_a_safe_header),
  };
  return RUN_TESTS("disposition", tests);
}

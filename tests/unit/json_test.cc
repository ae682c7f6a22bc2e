// json_test.cc — what is accepted as JSON, and how it is printed.
#include "base/json.h"

#include <string>

#include "check.h"

using namespace cloakroom;

static void a_document_survives_its_text() {
  const std::string text = R"({"a":[1,true,null,"ü \" \\"]})";
  CHECK_EQ(dump_json(CHECK_OK(parse_json(text))), text);
}

static void a_repeated_member_is_refused() {
  CHECK_ERR(parse_json(R"({"sub":"alice","sub":"bob"})"), Errc::kInvalid);
  CHECK_ERR(parse_json(R"({"a":{"b":1,"b":2}})"), Errc::kInvalid);
}

static void what_is_not_json_is_refused_with_its_line() {
  for (const char* text : {"", "{", "{}x", "[1,]", "{'a':1}", "nul", "\xff", "[\"\xff\"]", "1", "\"text\""})
    CHECK_ERR(parse_json(text), Errc::kInvalid);
  const auto wrong = parse_json("{\n\n!");
  CHECK(!wrong);
  CHECK(wrong.error().say.find("line 3") != std::string::npos);
}

static void a_nul_in_a_text_is_refused() {
  CHECK_ERR(parse_json(R"(["a\u0000b"])"), Errc::kInvalid);
  CHECK_ERR(parse_json(std::string_view("[1]\0", 4)), Errc::kInvalid);
}

static void deep_nesting_ends_in_an_error() {
  CHECK_ERR(parse_json(std::string(200000, '[')), Errc::kInvalid);
}

static void ill_formed_text_becomes_null() {
  CHECK_EQ(dump_json(json_text("a\"\n")), R"("a\"\n")");
  CHECK_EQ(dump_json(json_text("\xff")), "null");
}

int main() {
  const CMUnitTest tests[] = {
      CASE(a_document_survives_its_text),
      CASE(a_repeated_member_is_refused),
      CASE(what_is_not_json_is_refused_with_its_line),
      CASE(a_nul_in_a_text_is_refused),
      CASE(deep_nesting_ends_in_an_error),
      CASE(ill_formed_text_becomes_null),
  };
  return RUN_TESTS("json", tests);
}

// csv_test.cc — records of CSV files, as RFC 4180 and MySQL write them, however the bytes come.
#include "base/csv.h"

#include <string>

#include "check.h"

using namespace cloakroom;

namespace {

constexpr const char* kNone = "(none)";

CsvRules rules(bool mysql = false) {
  return {.delimiter = ',', .has_escapes = mysql, .null = {}, .most_bytes = 1000};
}

// "a|b" for each record, ended by a line end; "!" before one that is bad, "^" for one that is too long.
std::string read(std::string_view text, const CsvRules& how, std::size_t block = 1000) {
  CsvRecord record(how);
  std::string out;
  const auto take = [&] {
    if (record.is_bad()) out += "!";
    if (record.is_too_long()) out += "^";
    for (std::size_t i = 0; i < record.fields().size(); ++i) {
      out.append(i > 0 ? "|" : "").append(record.fields()[i].value_or(kNone));
    }
    out += "\n";
    record.clear();
  };
  bool is_begun = false;
  while (!text.empty()) {
    text.remove_prefix(record.feed(text.substr(0, block)));
    is_begun = true;
    if (!record.is_complete()) continue;
    take();
    is_begun = false;
  }
  if (is_begun) {
    record.finish();
    take();
  }
  return out;
}

void fields_in_quotes_hold_anything() {
  CHECK_EQ(read("a,b\n\"x,y\",\"line\r\nend\"\r\n\"say \"\"hi\"\"\",\"\"\n", rules()),
           "a|b\nx,y|line\r\nend\nsay \"hi\"|\n");
  CHECK_EQ(read("1,[{\"url\": \"a\"}]", rules()), "1|[{\"url\": \"a\"}]\n");  // a quote within an unquoted field
  CHECK_EQ(read("\n,\n", rules()), "\n|\n");
  CHECK_EQ(read("a\rb,c\r", rules()), "a\rb|c\n");
  CHECK_EQ(read("\"a\r\",b\n", rules()), "a\r|b\n");
}

void quotes_that_do_not_match_are_bad() {
  CHECK_EQ(read("\"a\"b,c\nd\n", rules()), "!ab|c\nd\n");
  CHECK_EQ(read("\"a\"\rb\n", rules()), "!a\rb\n");
  CHECK_EQ(read("a,\"never closed\n", rules()), "!a|never closed\n\n");
}

void mysql_escapes_by_backslash() {
  CHECK_EQ(read("1,\\N,\"\\N\",N\n", rules(true)), std::string("1|") + kNone + "|N|N\n");
  CHECK_EQ(read("\"[{\\\"url\\\": \\\"a\\\\\\\\b\\\"}]\",x\\,y,\\\nz\n", rules(true)),
           "[{\"url\": \"a\\\\b\"}]|x,y|\nz\n");
  CHECK_EQ(read("\\Na,1\n", rules(true)), std::string("!") + kNone + "|1\n");
  CHECK_EQ(read("\\n\\t\\r\\b\\Z\n", rules(true)), "\n\t\r\b\x1a\n");
  CHECK_EQ(read("a\\", rules(true)), "!a\n");
  CHECK_EQ(read("\"a\"\"b\"\n", rules(true)), "a\"b\n");
}

void a_word_may_stand_for_no_value() {
  CsvRules how = rules();
  how.null = "NULL";
  how.delimiter = ';';
  CHECK_EQ(read("NULL;\"NULL\";a,b\n", how), std::string(kNone) + "|NULL|a,b\n");
}

void what_is_too_long_is_kept_nowhere() {
  CsvRules how = rules();
  how.most_bytes = 8;
  CHECK_EQ(read("12345678\n1234567\n", how), "^\n1234567\n");  // a field costs one, too
  CHECK_EQ(read("a,b\n,,,,,,,,,,\nc\n", how), "a|b\n^\nc\n");
  CHECK_EQ(read("\"" + std::string(100, 'x') + "\n\"\nc\n", how), "^\nc\n");
}

void it_does_not_matter_where_blocks_end() {
  const std::string text = "a,\"b\"\"c\r\n\"\r\n\"d\",e\r\n\r\nf";
  const std::string whole = read(text, rules());
  for (std::size_t block = 1; block < text.size(); ++block) CHECK_EQ(read(text, rules(), block), whole);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      CASE(fields_in_quotes_hold_anything),   CASE(quotes_that_do_not_match_are_bad),
      CASE(mysql_escapes_by_backslash),       CASE(a_word_may_stand_for_no_value),
      CASE(what_is_too_long_is_kept_nowhere), CASE(it_does_not_matter_where_blocks_end),
  };
  return RUN_TESTS("csv", tests);
}

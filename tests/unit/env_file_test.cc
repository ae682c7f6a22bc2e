// env_file_test.cc — files of settings read as systemd reads them.
#include "base/env_file.h"

#include "check.h"

using namespace cloakroom;

static std::string value_of(std::string_view text) {
  const auto pairs = CHECK_OK(parse_env_file(text));
  CHECK_EQ(pairs.size(), 1u);
  CHECK_EQ(pairs[0].first, "NAME");
  return pairs[0].second;
}

static void values_keep_what_shells_would_eat() {
  CHECK_EQ(value_of("NAME=postgresql:///db?host=/run&user=x"), "postgresql:///db?host=/run&user=x");
  CHECK_EQ(value_of("NAME=a b $c `d` \"e\""), "a b $c `d` \"e\"");
}

static void quotes_are_taken_off_and_escapes_undone() {
  CHECK_EQ(value_of("NAME=\"a \\\"b\\\" \\\\ \\$c\""), "a \"b\" \\ $c");
  CHECK_EQ(value_of("NAME='a \\\" b '"), "a \\\" b ");
  CHECK_EQ(value_of("NAME=\"\""), "");
}

static void blanks_comments_and_carriage_returns_are_skipped() {
  const auto pairs = CHECK_OK(parse_env_file("# c\r\n\n ; d\n A = 1 \t\r\nB=2"));
  CHECK_EQ(pairs.size(), 2u);
  CHECK_EQ(pairs[0].first, "A");
  CHECK_EQ(pairs[0].second, "1");
}

static void the_last_line_needs_no_newline() {
  const auto pairs = CHECK_OK(parse_env_file("A=1\nB=2"));
  CHECK_EQ(pairs.size(), 2u);
  CHECK_EQ(pairs[1].second, "2");
}

static void a_bad_line_is_named_by_number_and_its_value_is_not_shown() {
  for (const std::string_view bad :
       {"A=1\nnonsense", "A=1\nB=\"open secret", "A=1\nB='x'secret", "A=1\nB C=secret", "A=1\n=secret"}) {
    const auto result = parse_env_file(bad);
    CHECK(!result);
    CHECK(result.error().detail.starts_with("line 2: "));
    CHECK(result.error().detail.find("secret") == std::string::npos);
  }
}

int main() {
  const CMUnitTest tests[] = {CASE(values_keep_what_shells_would_eat), CASE(quotes_are_taken_off_and_escapes_undone),
                              CASE(blanks_comments_and_carriage_returns_are_skipped),
                              CASE(the_last_line_needs_no_newline),
                              CASE(a_bad_line_is_named_by_number_and_its_value_is_not_shown)};
  return RUN_TESTS("env_file", tests);
}

// conditional_test.cc — preconditions in RFC 9110's order, and If-Range.
#include "http/conditional.h"

#include "check.h"

using namespace cloakroom;

namespace {

constexpr std::string_view kBefore = "Sat, 31 Jan 2026 09:29:59 GMT";
constexpr std::string_view kThen = "Sat, 31 Jan 2026 09:30:00 GMT";
constexpr std::string_view kAfter = "Sat, 31 Jan 2026 09:30:01 GMT";

// A file of kThen and some 300 ms.
Validators file() {
  return {.etag = "\"abc\"", .last_modified = CHECK_OK(parse_http_date(kThen)) + std::chrono::milliseconds(300)};
}

Precondition answer(const Conditions& conditions) {
  return evaluate(conditions, file());
}

}  // namespace

static void without_conditions_it_goes_on() {
  CHECK_EQ(answer({}), Precondition::kProceed);
}

static void if_none_match_compares_weakly() {
  CHECK_EQ(answer({.if_none_match = "\"abc\""}), Precondition::kNotModified);
  CHECK_EQ(answer({.if_none_match = "W/\"abc\""}), Precondition::kNotModified);
  CHECK_EQ(answer({.if_none_match = "*"}), Precondition::kNotModified);
  CHECK_EQ(answer({.if_none_match = "\"x\", W/\"y\" ,,\t\"abc\" "}), Precondition::kNotModified);
  CHECK_EQ(answer({.if_none_match = "\"x\""}), Precondition::kProceed);
  CHECK_EQ(answer({.if_none_match = "\"ABC\""}), Precondition::kProceed);
}

static void if_match_compares_strongly() {
  CHECK_EQ(answer({.if_match = "\"abc\""}), Precondition::kProceed);
  CHECK_EQ(answer({.if_match = "*"}), Precondition::kProceed);
  CHECK_EQ(answer({.if_match = "\"x\",\"abc\""}), Precondition::kProceed);
  CHECK_EQ(answer({.if_match = "W/\"abc\""}), Precondition::kFailed);
  CHECK_EQ(answer({.if_match = "\"x\""}), Precondition::kFailed);
}

static void a_comma_inside_a_tag_belongs_to_it() {
  CHECK_EQ(answer({.if_none_match = "\"x,\"abc\""}), Precondition::kProceed);
  CHECK_EQ(evaluate({.if_none_match = "\"y\", \"a,b\""}, {.etag = "\"a,b\"", .last_modified = {}}),
           Precondition::kNotModified);
}

static void lists_that_cannot_be_read_match_nothing() {
  for (const std::string_view bad : {"abc", "\"abc", "w/\"abc\"", "\"x\" \"abc\"", "\"x\"\"abc\"", "**", "\"x\", *",
                                     "\"a b\",\"abc\"", ",", "W/abc"}) {
    CHECK_EQ(answer({.if_none_match = bad}), Precondition::kProceed);
    CHECK_EQ(answer({.if_match = bad}), Precondition::kFailed);
  }
}

static void dates_are_compared_at_whole_seconds() {
  CHECK_EQ(answer({.if_modified_since = kThen}), Precondition::kNotModified);
  CHECK_EQ(answer({.if_modified_since = kAfter}), Precondition::kNotModified);
  CHECK_EQ(answer({.if_modified_since = kBefore}), Precondition::kProceed);
  CHECK_EQ(answer({.if_unmodified_since = kThen}), Precondition::kProceed);
  CHECK_EQ(answer({.if_unmodified_since = kAfter}), Precondition::kProceed);
  CHECK_EQ(answer({.if_unmodified_since = kBefore}), Precondition::kFailed);
}

static void invalid_dates_are_ignored() {
  for (const std::string_view bad : {"yesterday", "2026-01-31", "Sat, 31 Jan 2026 09:30:00 CET", "0"}) {
    CHECK_EQ(answer({.if_modified_since = bad}), Precondition::kProceed);
    CHECK_EQ(answer({.if_unmodified_since = bad}), Precondition::kProceed);
  }
}

static void tags_make_their_dates_irrelevant() {
  CHECK_EQ(answer({.if_none_match = "\"x\"", .if_modified_since = kAfter}), Precondition::kProceed);
  CHECK_EQ(answer({.if_none_match = "\"abc\"", .if_modified_since = kBefore}), Precondition::kNotModified);
  CHECK_EQ(answer({.if_match = "\"abc\"", .if_unmodified_since = kBefore}), Precondition::kProceed);
}

static void failure_comes_before_not_modified() {
  CHECK_EQ(answer({.if_match = "\"x\"", .if_none_match = "\"abc\""}), Precondition::kFailed);
  CHECK_EQ(answer({.if_none_match = "*", .if_unmodified_since = kBefore}), Precondition::kFailed);
  CHECK_EQ(answer({.if_match = "\"abc\"", .if_none_match = "\"abc\""}), Precondition::kNotModified);
  CHECK_EQ(answer({.if_match = "*", .if_modified_since = kThen}), Precondition::kNotModified);
}

static void if_range_does_not_decide_the_precondition() {
  CHECK_EQ(answer({.if_range = "\"x\""}), Precondition::kProceed);
}

static void a_range_applies_for_the_same_strong_tag_only() {
  CHECK(range_applies("", file()));
  CHECK(range_applies("\"abc\"", file()));
  CHECK(range_applies(" \"abc\" ", file()));
  CHECK(!range_applies("\"x\"", file()));
  CHECK(!range_applies("W/\"abc\"", file()));
  CHECK(!range_applies("\"abc\", \"x\"", file()));
  CHECK(!range_applies("*", file()));
  CHECK(!range_applies("abc", file()));
}

static void a_range_applies_for_exactly_the_same_date_only() {
  CHECK(range_applies(kThen, file()));
  CHECK(!range_applies(kBefore, file()));
  CHECK(!range_applies(kAfter, file()));
  CHECK(!range_applies("Sat, 31 Jan 2026", file()));
}

int main() {
  const CMUnitTest tests[] = {
      CASE(without_conditions_it_goes_on),
      CASE(if_none_match_compares_weakly),
      CASE(if_match_compares_strongly),
      CASE(a_comma_inside_a_tag_belongs_to_it),
      CASE(lists_that_cannot_be_read_match_nothing),
      CASE(dates_are_compared_at_whole_seconds),
      CASE(invalid_dates_are_ignored),
      CASE(tags_make_their_dates_irrelevant),
      CASE(failure_comes_before_not_modified),
      CASE(if_range_does_not_decide_the_precondition),
      CASE(a_range_applies_for_the_same_strong_tag_only),
      CASE(a_range_applies_for_exactly_the_same_date_only),
  };
  return RUN_TESTS("conditional", tests);
}

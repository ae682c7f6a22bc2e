// range_test.cc — Range headers, honest and hostile, against objects of known size.
#include "http/range.h"

#include <limits>
#include <string>

#include "base/limits.h"
#include "check.h"

using namespace cloakroom;

namespace {

// "whole", "unsatisfiable" or "offset+length,…"
std::string asked(std::string_view header, std::uint64_t size_bytes = 1000) {
  const RangeAnswer answer = parse_range(header, size_bytes);
  if (std::holds_alternative<WholeBody>(answer)) return "whole";
  if (std::holds_alternative<Unsatisfiable>(answer)) return "unsatisfiable";
  std::string text;
  for (const ByteRange& range : std::get<std::vector<ByteRange>>(answer)) {
    text += (text.empty() ? "" : ",") + std::to_string(range.offset) + "+" + std::to_string(range.length);
  }
  return text;
}

}  // namespace

static void one_range_is_cut_at_the_end_of_the_object() {
  CHECK_EQ(asked("bytes=0-0"), "0+1");
  CHECK_EQ(asked("bytes=0-499"), "0+500");
  CHECK_EQ(asked("bytes=999-999"), "999+1");
  CHECK_EQ(asked("bytes=999-1000"), "999+1");
  CHECK_EQ(asked("bytes=0-"), "0+1000");
  CHECK_EQ(asked("bytes=999-"), "999+1");
  CHECK_EQ(asked("bytes=0-999"), "0+1000");
}

static void a_suffix_counts_from_the_end() {
  CHECK_EQ(asked("bytes=-1"), "999+1");
  CHECK_EQ(asked("bytes=-1000"), "0+1000");
  CHECK_EQ(asked("bytes=-1001"), "0+1000");
  CHECK_EQ(asked("bytes=-0"), "unsatisfiable");
}

static void what_begins_beyond_the_end_is_unsatisfiable() {
  CHECK_EQ(asked("bytes=1000-"), "unsatisfiable");
  CHECK_EQ(asked("bytes=1000-1000"), "unsatisfiable");
  CHECK_EQ(asked("bytes=2000-3000, 1000-"), "unsatisfiable");
}

static void several_ranges_keep_their_order_without_the_unsatisfiable() {
  CHECK_EQ(asked("bytes=500-599,0-9"), "500+100,0+10");
  CHECK_EQ(asked("bytes=0-0 ,\t5000-, -1"), "0+1,999+1");
  CHECK_EQ(asked("bytes=,,0-0,,2-2,"), "0+1,2+1");
}

static void other_units_and_no_header_mean_the_whole() {
  CHECK_EQ(asked(""), "whole");
  CHECK_EQ(asked("items=0-1"), "whole");
  CHECK_EQ(asked("bytes"), "whole");
  CHECK_EQ(asked("bytes 0-1"), "whole");
  CHECK_EQ(asked("bytes =0-1"), "whole");
  CHECK_EQ(asked("items=0-1", 0), "whole");
  CHECK_EQ(asked("ByTeS=0-1"), "0+2");
}

static void ranges_that_cannot_be_read_are_unsatisfiable() {
  for (const std::string_view bad :
       {"bytes=",       "bytes=,",     "bytes=-",     "bytes=1",       "bytes=a-b",
        "bytes=0-x",    "bytes=0--1",  "bytes=--1",   "bytes=+0-1",    "bytes=0-+1",
        "bytes= 0 - 1", "bytes=5-4",   "bytes=9-2",   "bytes=0-0,5-4", "bytes=0-1;2-3",
        "bytes=0-1,x",  "bytes=0x1-2", "bytes=1-2-3", "bytes=0-1 2-3", "bytes=5000-4000"}) {
    if (asked(bad) != "unsatisfiable") t::raise(__FILE__, __LINE__, std::string(bad) + " gave " + asked(bad));
  }
}

static void an_empty_object_satisfies_no_range() {
  CHECK_EQ(asked("bytes=0-", 0), "unsatisfiable");
  CHECK_EQ(asked("bytes=0-0", 0), "unsatisfiable");
  CHECK_EQ(asked("bytes=-1", 0), "unsatisfiable");
  std::string many = "bytes=0-0";
  for (std::size_t i = 0; i < limits::kRanges; ++i) many += ",0-0";
  CHECK_EQ(asked(many, 0), "unsatisfiable");
}

static void numbers_beyond_64_bits_mean_beyond_the_end() {
  CHECK_EQ(asked("bytes=0-18446744073709551615"), "0+1000");
  CHECK_EQ(asked("bytes=0-99999999999999999999999999"), "0+1000");
  CHECK_EQ(asked("bytes=-99999999999999999999999999"), "0+1000");
  CHECK_EQ(asked("bytes=99999999999999999999999999-"), "unsatisfiable");
  CHECK_EQ(asked("bytes=0-", std::numeric_limits<std::uint64_t>::max()), "0+18446744073709551615");
}

static void too_many_ranges_get_the_whole() {
  std::string header = "bytes=0-0";
  for (std::size_t i = 1; i < limits::kRanges; ++i) header += "," + std::to_string(2 * i) + "-" + std::to_string(2 * i);
  CHECK_EQ(std::get<std::vector<ByteRange>>(parse_range(header, 1000)).size(), limits::kRanges);
  CHECK_EQ(asked(header + ",900-900"), "whole");
  CHECK_EQ(asked(header + ",5000-"), "whole");
}

static void overlaps_that_multiply_the_work_get_the_whole() {
  CHECK_EQ(asked("bytes=0-,0-"), "whole");
  CHECK_EQ(asked("bytes=0-599,400-999"), "whole");
  CHECK_EQ(asked("bytes=0-499,500-999"), "0+500,500+500");
  CHECK_EQ(asked("bytes=0-99,0-99"), "0+100,0+100");
  CHECK_EQ(asked("bytes=0-,0-", std::numeric_limits<std::uint64_t>::max()), "whole");
}

static void content_range_names_first_last_and_size() {
  CHECK_EQ(content_range({.offset = 0, .length = 1}, 1), "bytes 0-0/1");
  CHECK_EQ(content_range({.offset = 500, .length = 500}, 1000), "bytes 500-999/1000");
  CHECK_EQ(content_range_unsatisfied(0), "bytes */0");
  CHECK_EQ(content_range_unsatisfied(1234), "bytes */1234");
}

int main() {
  const CMUnitTest tests[] = {
      CASE(one_range_is_cut_at_the_end_of_the_object),
      CASE(a_suffix_counts_from_the_end),
      CASE(what_begins_beyond_the_end_is_unsatisfiable),
      CASE(several_ranges_keep_their_order_without_the_unsatisfiable),
      CASE(other_units_and_no_header_mean_the_whole),
      CASE(ranges_that_cannot_be_read_are_unsatisfiable),
      CASE(an_empty_object_satisfies_no_range),
      CASE(numbers_beyond_64_bits_mean_beyond_the_end),
      CASE(too_many_ranges_get_the_whole),
      CASE(overlaps_that_multiply_the_work_get_the_whole),
      CASE(content_range_names_first_last_and_size),
  };
  return RUN_TESTS("range", tests);
}

// s3_part_rules_test.cc — how files of all sizes are cut, for stores with narrow rules and wide ones.
#include "storage/s3_part_rules.h"

#include "check.h"

using namespace cloakroom;  // NOLINT: a test

namespace {

constexpr std::uint64_t kMib = 1ULL << 20;
constexpr std::uint64_t kGib = 1ULL << 30;

void a_file_of_many_sizes_is_cut_into_equal_parts_that_fit_the_rules() {
  const S3PartRules rules;
  for (const std::uint64_t size :
       {1 * kMib, 64 * kMib, 64 * kMib + 1, 6 * kGib, 15 * kGib, 16 * kGib, 100 * kGib, 4000 * kGib, 5000 * kGib}) {
    const S3PartPlan plan = CHECK_OK(plan_parts(size, rules));
    CHECK_EQ(plan.part_bytes % kMib, 0U);
    CHECK(plan.part_bytes >= limits::kS3PartBytes && plan.part_bytes <= limits::kS3SinglePutBytes);
    CHECK(plan.parts >= 1 && plan.parts <= rules.max_parts);
    CHECK(plan.last_bytes > 0 && plan.last_bytes <= plan.part_bytes);
    CHECK_EQ((plan.parts - 1) * plan.part_bytes + plan.last_bytes, size);
  }
}

void parts_are_as_wanted_until_there_would_be_too_many() {
  CHECK_EQ(CHECK_OK(plan_parts(6 * kGib, {})).part_bytes, 16 * kMib);
  CHECK_EQ(CHECK_OK(plan_parts(1000 * 16 * kMib, {})).part_bytes, 16 * kMib);
  CHECK_EQ(CHECK_OK(plan_parts(1000 * 16 * kMib, {})).parts, 1000U);
  CHECK_EQ(CHECK_OK(plan_parts(1000 * 16 * kMib + 1, {})).part_bytes, 17 * kMib);
  CHECK_EQ(CHECK_OK(plan_parts(100 * kMib, {.max_parts = 3})).part_bytes, 34 * kMib);
}

void the_store_s_smallest_part_counts() {
  CHECK_EQ(CHECK_OK(plan_parts(100 * kMib, {.min_part_bytes = 20 * kMib + 1})).part_bytes, 21 * kMib);
}

void an_empty_file_is_one_empty_part() {
  const S3PartPlan plan = CHECK_OK(plan_parts(0, {}));
  CHECK_EQ(plan.parts, 1U);
  CHECK_EQ(plan.last_bytes, 0U);
}

void what_no_number_of_parts_holds_is_too_large() {
  CHECK_OK(plan_parts(1000 * 5 * kGib, {}));
  CHECK_ERR(plan_parts(1000 * 5 * kGib + 1, {}), Errc::kTooLarge);
  CHECK_ERR(plan_parts(~0ULL, {}), Errc::kTooLarge);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      CASE(a_file_of_many_sizes_is_cut_into_equal_parts_that_fit_the_rules),
      CASE(parts_are_as_wanted_until_there_would_be_too_many),
      CASE(the_store_s_smallest_part_counts),
      CASE(an_empty_file_is_one_empty_part),
      CASE(what_no_number_of_parts_holds_is_too_large),
  };
  return RUN_TESTS("s3_part_rules", tests);
}

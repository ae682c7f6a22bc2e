// s3_part_rules.cc — the size of a part.
#include "storage/s3_part_rules.h"

#include <algorithm>

namespace cloakroom {
namespace {

constexpr std::uint64_t kMib = 1ULL << 20;

std::uint64_t divide_up(std::uint64_t a, std::uint64_t b) {
  return a / b + (a % b != 0 ? 1 : 0);
}

}  // namespace

Result<S3PartPlan> plan_parts(std::uint64_t size_bytes, const S3PartRules& rules) {
  const std::uint64_t needed = divide_up(size_bytes, rules.max_parts);
  const std::uint64_t part = divide_up(std::max({rules.wanted_part_bytes, rules.min_part_bytes, needed}), kMib) * kMib;
  if (part > limits::kS3SinglePutBytes) return Error{Errc::kTooLarge, "cannot upload: larger than the store takes"};
  const std::uint64_t parts = std::max<std::uint64_t>(1, divide_up(size_bytes, part));
  return S3PartPlan{part, size_bytes - (parts - 1) * part, static_cast<unsigned>(parts)};
}

}  // namespace cloakroom

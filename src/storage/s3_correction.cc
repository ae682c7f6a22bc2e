// s3_correction.cc — which refusals are about the region or the clock.
#include "storage/s3_correction.h"

#include <algorithm>

#include "storage/s3_endpoint.h"
#include "storage/s3_errors.h"
#include "storage/s3_xml.h"

namespace cloakroom {
namespace {

using std::chrono::seconds;

constexpr seconds kToleratedByStores{900};           // AWS, Ceph, MinIO, Swift: 15 minutes
constexpr seconds kPlausible{60};                    // a store that is stricter than that still takes this
constexpr TimePoint kEarliest{seconds{1577836800}};  // 2020-01-01: a Date before it comes from a host without a clock

std::string named_region(const HttpAnswer& refusal) {
  std::string region(refusal.header("x-amz-bucket-region"));
  if (!region.empty() || refusal.body.empty()) return region;
  const Result<S3ErrorBody> body = parse_s3_error(refusal.body);
  return body ? body->region : std::string();
}

void replace(std::string& text, const std::string& what, const std::string& by) {
  if (const std::size_t at = text.find(what); at != std::string::npos) text.replace(at, what.size(), by);
}

}  // namespace

std::optional<RegionLesson> region_lesson(std::string_view method, const HttpAnswer& refusal,
                                          std::string_view signed_for) {
  const std::string code = s3_error_code(refusal);
  const bool elsewhere = code == "PermanentRedirect" || code == "IllegalLocationConstraintException";
  const bool told_on_head = method == "HEAD" && !refusal.header("x-amz-bucket-region").empty() &&
                            (refusal.status == 400 || refusal.status == 403);
  if (!elsewhere && !told_on_head && code != "AuthorizationHeaderMalformed" && refusal.status != 301) {
    return std::nullopt;
  }
  std::string region = named_region(refusal);
  // Other faults of an Authorization header have the same code, and a proxy answers 301 to lead to https.
  if (region.empty()) return elsewhere ? std::optional(RegionLesson{}) : std::nullopt;
  if (!is_s3_region(region) || region == signed_for) return std::nullopt;
  return RegionLesson{std::move(region)};
}

std::optional<ClockLesson> clock_lesson(std::string_view method, const HttpAnswer& refusal, TimePoint signed_at) {
  const std::string code = s3_error_code(refusal);
  const bool is_certain = code == "RequestTimeTooSkewed";
  const bool is_possible = method == "HEAD" && refusal.status == 403;
  if (!is_certain && !is_possible) return std::nullopt;
  const Result<TimePoint> date = parse_http_date(refusal.header("date"));
  if (!date || *date < kEarliest) return std::nullopt;
  const auto ahead = std::chrono::duration_cast<seconds>(*date - signed_at);
  if (std::chrono::abs(ahead) <= (is_certain ? kPlausible : kToleratedByStores)) return std::nullopt;
  return ClockLesson{ahead, is_certain};
}

std::string endpoint_in_region(std::string_view endpoint, std::string_view from, std::string_view to) {
  std::string moved(endpoint);
  const std::string aws = ".amazonaws.com";
  replace(moved, "." + std::string(from) + aws, "." + std::string(to) + aws);
  replace(moved, "//s3" + aws, "//s3." + std::string(to) + aws);
  return moved;
}

}  // namespace cloakroom

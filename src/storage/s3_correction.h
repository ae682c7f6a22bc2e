// s3_correction.h — what a refusal teaches: the bucket's region, and how far our clock is off. Pure.
//
// Source   Amazon S3 API reference, "REST error responses"; Ceph, MinIO, Garage and Swift use the same codes. HEAD has
//          no body, so there only headers speak.
// Security of an answer only the name of a region is used, and only as [a-z0-9-]{1,63}: never <Endpoint>, never
//          Location. A clock is corrected by a Date that is plausible itself, and never when ours is plausible.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"
#include "storage/curl.h"

namespace cloakroom {

struct RegionLesson {
  std::string region;  // another one than `signed_for`; empty = the store did not say which
};
// Nothing when the refusal is not about the region, or names what no region can be called.
std::optional<RegionLesson> region_lesson(std::string_view method, const HttpAnswer& refusal,
                                          std::string_view signed_for);

struct ClockLesson {
  std::chrono::seconds ahead{};  // of the store's clock over the time that was signed
  bool is_certain = false;       // the store named the clock as the reason; else only its Date speaks against ours
};
std::optional<ClockLesson> clock_lesson(std::string_view method, const HttpAnswer& refusal, TimePoint signed_at);

// The endpoint of AWS in another region; any other endpoint as it stands.
std::string endpoint_in_region(std::string_view endpoint, std::string_view from, std::string_view to);

}  // namespace cloakroom

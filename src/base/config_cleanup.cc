// config_cleanup.cc — how old what may become, as it is written.
#include "base/config_cleanup.h"

#include <algorithm>
#include <cstdint>

#include "base/encode.h"

namespace cloakroom {
namespace {

constexpr std::uint64_t kMostHours = 876000;  // 100 years
constexpr std::uint64_t kMostUndoDays = 365;

// A word of file_type, or a content type whose second half may be a star.
bool is_type(std::string_view text) {
  if (text == "*" || text == "image" || text == "video" || text == "audio" || text == "file") return true;
  const std::size_t slash = text.find('/');
  if (slash == 0 || slash == std::string_view::npos || slash + 1 == text.size()) return false;
  const std::string_view second = text.substr(slash + 1);
  const auto is_plain = [](std::string_view part) {
    return std::all_of(part.begin(), part.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
             std::string_view("+-._").find(c) != std::string_view::npos;
    });
  };
  return is_plain(text.substr(0, slash)) && (second == "*" || is_plain(second));
}

}  // namespace

std::optional<CleanupConfig::Retention> parse_retention(std::string_view item) {
  const std::size_t colon = item.rfind(':');
  if (colon == std::string_view::npos || !is_type(item.substr(0, colon))) return std::nullopt;
  std::string_view age = item.substr(colon + 1);
  if (age.empty() || (age.back() != 'd' && age.back() != 'h')) return std::nullopt;
  const std::uint64_t hours = age.back() == 'd' ? 24 : 1;
  age.remove_suffix(1);
  const auto number = parse_u64(age);
  if (!number || *number == 0 || *number > kMostHours / hours) return std::nullopt;
  return CleanupConfig::Retention{std::string(item.substr(0, colon)), std::chrono::hours(*number * hours)};
}

void read_cleanup(Reader& in, Config& config) {
  CleanupConfig& c = config.cleanup;
  c.stale = std::chrono::hours(in.number("STALE_HOURS", 0, kMostHours));
  c.undo = std::chrono::hours(24 * in.number("UNDO_DAYS", 0, kMostUndoDays));
  std::string list = in.text("RETENTION");
  std::replace(list.begin(), list.end(), ' ', ',');
  for (const std::string_view item : split(list, ',')) {
    auto rule = parse_retention(item);
    if (!rule) {
      in.problem(
          "RETENTION",
          fmt::format("'{}' is not a rule such as image:365d, application/pdf:48h or *:730d (image, video, audio, "
                      "file, a content type in small letters, or *; 1h to 36500d)",
                      item));
      continue;
    }
    c.retention.push_back(*std::move(rule));
  }
  c.owner_query = in.text("OWNER_QUERY");
  if (!c.owner_query.empty() && c.owner_query.find("$1") == std::string::npos) {
    in.problem("OWNER_QUERY",
               "has no $1, the ids that it is asked about: SELECT id FROM app.messages WHERE id = ANY($1::text[])");
  }
  config.jobs.parallel = static_cast<std::uint32_t>(in.number("JOBS_PARALLEL", 1, 64));
  config.jobs.most_failures = static_cast<int>(in.number("JOBS_MAX_FAILURES", 1, 1000));
}

}  // namespace cloakroom

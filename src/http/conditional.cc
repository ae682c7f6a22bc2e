// conditional.cc — the four preconditions in the order of RFC 9110 section 13.2.2, then If-Range.
#include "http/conditional.h"

#include <algorithm>
#include <optional>

#include "http/header_params.h"

namespace cloakroom {
namespace {

enum class Compare { kStrong, kWeak };

struct Tag {
  std::string_view opaque;  // with its quotes
  bool weak = false;
};

bool is_tag_char(char c) {
  const auto u = static_cast<unsigned char>(c);
  return u == 0x21 || (u >= 0x23 && u <= 0x7E) || u >= 0x80;
}

// Takes one tag from the front of `rest`. A comma inside the quotes belongs to it.
std::optional<Tag> take_tag(std::string_view& rest) {
  Tag tag;
  tag.weak = rest.starts_with("W/");  // case-sensitive: RFC 9110 section 8.8.3
  if (tag.weak) rest.remove_prefix(2);
  if (!rest.starts_with('"')) return std::nullopt;
  const std::size_t end = rest.find('"', 1);
  if (end == std::string_view::npos) return std::nullopt;
  tag.opaque = rest.substr(0, end + 1);
  const std::string_view inside = rest.substr(1, end - 1);
  if (!std::all_of(inside.begin(), inside.end(), is_tag_char)) return std::nullopt;
  rest.remove_prefix(end + 1);
  return tag;
}

bool same(const Tag& tag, std::string_view etag, Compare how) {
  return tag.opaque == etag && (how == Compare::kWeak || !tag.weak);
}

// Whether "*" or one of the listed tags names our representation.
bool list_matches(std::string_view list, std::string_view etag, Compare how) {
  list = trim_space(list);
  if (list == "*") return true;
  while (!list.empty()) {
    if (list.front() == ',') {
      list = trim_space(list.substr(1));
      continue;
    }
    const std::optional<Tag> tag = take_tag(list);
    list = trim_space(list);
    if (!tag || (!list.empty() && list.front() != ',')) return false;
    if (same(*tag, etag, how)) return true;
  }
  return false;
}

// Seconds; none for an absent or unreadable date.
std::optional<std::chrono::seconds> date(std::string_view text) {
  const Result<TimePoint> when = parse_http_date(trim_space(text));
  if (!when) return std::nullopt;
  return unix_seconds(*when);
}

}  // namespace

Precondition evaluate(const Conditions& conditions, const Validators& validators) {
  const std::chrono::seconds modified = unix_seconds(validators.last_modified);
  if (!conditions.if_match.empty()) {
    if (!list_matches(conditions.if_match, validators.etag, Compare::kStrong)) return Precondition::kFailed;
  } else if (const auto since = date(conditions.if_unmodified_since); since && modified > *since) {
    return Precondition::kFailed;
  }
  if (!conditions.if_none_match.empty()) {
    if (list_matches(conditions.if_none_match, validators.etag, Compare::kWeak)) return Precondition::kNotModified;
  } else if (const auto since = date(conditions.if_modified_since); since && modified <= *since) {
    return Precondition::kNotModified;
  }
  return Precondition::kProceed;
}

bool range_applies(std::string_view if_range, const Validators& validators) {
  if (if_range.empty()) return true;
  std::string_view rest = trim_space(if_range);
  if (const std::optional<Tag> tag = take_tag(rest))
    return rest.empty() && same(*tag, validators.etag, Compare::kStrong);
  // Attachments never change, so their date is a strong validator in the sense of section 8.8.2.2.
  const auto since = date(if_range);
  return since && *since == unix_seconds(validators.last_modified);
}

}  // namespace cloakroom

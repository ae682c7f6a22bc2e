// conditional_fuzz.cc — any conditional headers: the order of RFC 9110 section 13.2.2 holds, and dates read back.
//
// Input    five lines: If-Match, If-None-Match, If-Modified-Since, If-Unmodified-Since, If-Range; the last takes the
// rest
#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include "http/conditional.h"

using namespace cloakroom;

namespace {

const Validators kFile{.etag = "\"0198c0de\"", .last_modified = TimePoint(std::chrono::seconds(1769851800))};

void check_date(std::string_view text) {
  const auto when = parse_http_date(text);
  if (!when) return;
  const auto again = parse_http_date(http_date(*when));
  if (!again || *again != *when) BUG("a date does not read back");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  std::array<std::string_view, 5> lines;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    lines[i] = i + 1 < lines.size() ? rest.substr(0, rest.find('\n')) : rest;
    rest.remove_prefix(std::min(lines[i].size() + 1, rest.size()));
  }
  const Conditions all{lines[0], lines[1], lines[2], lines[3], lines[4]};
  const Precondition answer = evaluate(all, kFile);

  Conditions some = all;
  if (!all.if_match.empty()) some.if_unmodified_since = {};
  if (!all.if_none_match.empty()) some.if_modified_since = {};
  if (evaluate(some, kFile) != answer) BUG("a date counts beside a tag");
  if (all.if_match.empty() && all.if_unmodified_since.empty() && answer == Precondition::kFailed)
    BUG("412 without a reason");
  if (all.if_none_match.empty() && all.if_modified_since.empty() && answer == Precondition::kNotModified)
    BUG("304 without a reason");
  // who does not name our tag, nor all, never gets 304 by tags
  const bool names_us = all.if_none_match.find(kFile.etag) != std::string_view::npos ||
                        all.if_none_match.find('*') != std::string_view::npos;
  if (!all.if_none_match.empty() && !names_us && answer == Precondition::kNotModified) BUG("304 for another tag");
  const bool matches_us =
      all.if_match.find(kFile.etag) != std::string_view::npos || all.if_match.find('*') != std::string_view::npos;
  if (!all.if_match.empty() && !matches_us && answer != Precondition::kFailed) BUG("no 412 for another tag");

  if (range_applies(all.if_range, kFile) && !all.if_range.empty()) {
    if (all.if_range.find("W/") != std::string_view::npos) BUG("a weak tag in If-Range");
    const bool by_tag = all.if_range.find(kFile.etag) != std::string_view::npos;
    const bool by_date = all.if_range.find("GMT") != std::string_view::npos;
    if (!by_tag && !by_date) BUG("a range of another version");
  }
  for (const std::string_view line : lines) check_date(line);
  return 0;
}

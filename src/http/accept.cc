// accept.cc — the items of an Accept header, one after the other.
#include "http/accept.h"

#include <algorithm>
#include <optional>

#include "base/encode.h"
#include "http/header_params.h"

namespace cloakroom {
namespace {

// "1", "1.000", "0.5", "0.": RFC 9110 section 12.4.2.
std::optional<unsigned> parse_quality(std::string_view text) {
  if (text.empty() || text.size() > 5 || (text[0] != '0' && text[0] != '1')) return std::nullopt;
  if (text.size() > 1 && text[1] != '.') return std::nullopt;
  unsigned value = text[0] == '1' ? 1000 : 0;
  unsigned unit = 100;
  for (const char c : text.substr(std::min<std::size_t>(2, text.size()))) {
    if (c < '0' || c > '9') return std::nullopt;
    value += static_cast<unsigned>(c - '0') * unit;
    unit /= 10;
  }
  return value <= 1000 ? std::optional(value) : std::nullopt;
}

// How closely a range fits; 0: not at all.
int fit(std::string_view range, std::string_view type) {
  if (range == type) return 3;
  if (range == "*/*") return 1;
  return range.ends_with("/*") && type.starts_with(range.substr(0, range.size() - 1)) ? 2 : 0;
}

}  // namespace

Welcome welcome(std::string_view accept, std::string_view media_type) {
  int best = 0;
  bool has_items = false;
  Welcome found;
  while (!accept.empty()) {
    const std::size_t end = std::min(accept.find(','), accept.size());
    const auto item = parse_header_params(trim_space(accept.substr(0, end)), QuotedPair::kStandard);
    accept.remove_prefix(std::min(end + 1, accept.size()));
    if (!item || item->head.find('/') == std::string_view::npos) continue;
    const std::string* q = item->find("q");
    const auto quality = q == nullptr ? std::optional(1000U) : parse_quality(*q);
    if (!quality) continue;
    has_items = true;
    const int here = fit(ascii_lower(item->head), media_type);
    if (here <= best) continue;
    best = here;
    found = {*quality, here == 3};
  }
  return has_items ? found : Welcome{1000, false};
}

}  // namespace cloakroom

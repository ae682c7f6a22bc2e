// range.cc — one range that cannot be read spoils the whole list; one that lies beyond the end does not.
#include "http/range.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "base/encode.h"
#include "base/limits.h"
#include "http/header_params.h"

namespace cloakroom {
namespace {

constexpr std::uint64_t kMostU64 = std::numeric_limits<std::uint64_t>::max();

// As base/parse_u64, but a number that does not fit is the largest that does.
std::optional<std::uint64_t> digits(std::string_view text) {
  const bool all = std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (text.empty() || !all) return std::nullopt;
  const Result<std::uint64_t> value = parse_u64(text);
  return value ? *value : kMostU64;
}

// A length of 0 means that nothing of the object is asked for. None: the spec is not well-formed.
std::optional<ByteRange> read_spec(std::string_view spec, std::uint64_t size_bytes) {
  const std::size_t dash = spec.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const std::optional<std::uint64_t> last = digits(spec.substr(dash + 1));
  if (dash == 0) {
    if (!last) return std::nullopt;
    const std::uint64_t length = std::min(*last, size_bytes);
    return ByteRange{size_bytes - length, length};
  }
  const std::optional<std::uint64_t> first = digits(spec.substr(0, dash));
  const bool open = dash + 1 == spec.size();
  if (!first || (!open && (!last || *last < *first))) return std::nullopt;
  if (*first >= size_bytes) return ByteRange{size_bytes, 0};
  const std::uint64_t end = open ? size_bytes - 1 : std::min(*last, size_bytes - 1);
  return ByteRange{*first, end - *first + 1};
}

}  // namespace

RangeAnswer parse_range(std::string_view header_value, std::uint64_t size_bytes) {
  const std::size_t equals = header_value.find('=');
  if (equals == std::string_view::npos || !ascii_iequal(header_value.substr(0, equals), "bytes")) return WholeBody{};
  if (size_bytes == 0) return Unsatisfiable{};
  std::vector<ByteRange> ranges;
  std::size_t specs = 0;
  std::uint64_t left_bytes = size_bytes;  // of what the ranges may be long together
  bool overlong = false;
  std::string_view rest = header_value.substr(equals + 1);
  while (!rest.empty()) {
    const std::size_t comma = std::min(rest.find(','), rest.size());
    const std::string_view spec = trim_space(rest.substr(0, comma));
    rest.remove_prefix(std::min(comma + 1, rest.size()));
    if (spec.empty()) continue;  // section 5.6.1.2: empty list elements are to be ignored
    if (++specs > limits::kRanges) return WholeBody{};
    const std::optional<ByteRange> range = read_spec(spec, size_bytes);
    if (!range) return Unsatisfiable{};
    if (range->length == 0) continue;
    overlong = overlong || range->length > left_bytes;
    if (!overlong) left_bytes -= range->length;
    ranges.push_back(*range);
  }
  if (ranges.empty()) return Unsatisfiable{};
  if (overlong) return WholeBody{};
  return ranges;
}

std::string content_range(const ByteRange& range, std::uint64_t size_bytes) {
  std::string text = "bytes ";
  text += std::to_string(range.offset) + '-' + std::to_string(range.offset + range.length - 1);
  text += '/' + std::to_string(size_bytes);
  return text;
}

std::string content_range_unsatisfied(std::uint64_t size_bytes) {
  return "bytes */" + std::to_string(size_bytes);
}

}  // namespace cloakroom

// range.h — what a Range header asks of an object whose size is known. Pure.
//
// Source   RFC 9110 section 14.
// Shape    WholeBody      answer 200: no header, another unit, more than limits::kRanges ranges, or several that are
//                         longer together than the object (overlaps made to multiply the work: section 14.2)
//          ranges         answer 206: those that can be satisfied, in the order asked, each cut at the object's end
//          Unsatisfiable  answer 416: none can be satisfied, or one cannot be read (section 14.2 leaves the choice;
//                         nginx answers so too); for an empty object every range of bytes
// Bytes    Numbers beyond 64 bits are well-formed: they stand for "beyond the end".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "domain/ports.h"

namespace cloakroom {

struct WholeBody {};
struct Unsatisfiable {};
using RangeAnswer = std::variant<WholeBody, std::vector<ByteRange>, Unsatisfiable>;

// `header_value` is empty when there is no Range header.
RangeAnswer parse_range(std::string_view header_value, std::uint64_t size_bytes);

// The value of Content-Range: "bytes 0-99/1234". REQUIRES: range.length > 0.
std::string content_range(const ByteRange& range, std::uint64_t size_bytes);
std::string content_range_unsatisfied(std::uint64_t size_bytes);  // "bytes */1234"

}  // namespace cloakroom

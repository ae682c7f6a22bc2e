// part_headers.h — the header lines of one part of a form: its name, its file name, its type.
//
// Source   RFC 7578 section 4; the HTML standard ("multipart/form-data encoding algorithm") for what browsers write.
// Shape    `lines` holds whole header lines divided by CRLF, without the empty line that ends them.
// Bytes    A browser writes a quote in a name as %22, CR as %0D and LF as %0A and leaves every other '%' alone. So
// those
//          three, in upper case, are decoded and nothing else is: "100%25.txt" keeps its name. Older curl writes \"
//          instead. filename* (RFC 8187) wins over filename, though RFC 7578 forbids it: clients send it. Names are not
//          cleaned here: they may hold slashes, control characters and (but for filename*) ill-formed UTF-8.
// Errors   kInvalid  with a sentence for the client: a bare CR or LF, folding, a line without a name, no or a repeated
//                    Content-Disposition, one that is not form-data or has no name, a repeated Content-Type, a
//                    Content-Transfer-Encoding that changes the bytes
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace cloakroom {

struct PartHeaders {
  std::string name;
  std::optional<std::string> filename;  // absent: a field; empty: a file input nobody filled in
  std::string content_type;             // as sent, empty when absent
};

Result<PartHeaders> parse_part_headers(std::string_view lines);

}  // namespace cloakroom

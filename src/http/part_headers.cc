// part_headers.cc — the few headers of a part that mean something; the others only have to be well-formed.
#include "http/part_headers.h"

#include <algorithm>
#include <utility>

#include "base/encode.h"
#include "http/header_params.h"

namespace cloakroom {
namespace {

// What the headers of interest said, each at most once.
struct Seen {
  std::optional<std::string_view> disposition, type, encoding;
};

Error invalid(std::string say) {
  return refuse(Errc::kInvalid, std::move(say));
}

// `a%22b%0D%0A` as browsers write it; see the header.
std::string decode_browser_escapes(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::string_view escape = text.substr(i, 3);
    const char meant = escape == "%22" ? '"' : escape == "%0D" ? '\r' : escape == "%0A" ? '\n' : '\0';
    if (meant != '\0') i += 2;
    out += meant != '\0' ? meant : text[i];
  }
  return out;
}

Status read_line(std::string_view line, Seen& seen) {
  if (line.front() == ' ' || line.front() == '\t') return invalid("a header line of a part is folded");
  for (const char c : line) {
    if (c == '\n' || c == '\r') return invalid("the lines of a part's header must end in CRLF");
    if (c != '\t' && has_control({&c, 1})) return invalid("a part's header holds a control character");
  }
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) {
    return invalid("a part's header has a line without a name");
  }
  const std::string name = ascii_lower(line.substr(0, colon));
  std::optional<std::string_view>* slot = nullptr;
  if (name == "content-disposition") slot = &seen.disposition;
  if (name == "content-type") slot = &seen.type;
  if (name == "content-transfer-encoding") slot = &seen.encoding;
  if (slot == nullptr) return Ok{};
  if (slot->has_value()) return invalid("a part has two headers " + name);
  *slot = trim_space(line.substr(colon + 1));
  return Ok{};
}

Result<PartHeaders> read_disposition(std::string_view value) {
  const Result<HeaderParams> parsed = parse_header_params(value, QuotedPair::kFormData);
  if (!parsed) return invalid("a part's Content-Disposition cannot be read: " + parsed.error().detail);
  if (!ascii_iequal(parsed->head, "form-data")) return invalid("a part's Content-Disposition is not form-data");
  PartHeaders part;
  const std::string* name = parsed->find("name");
  if (name == nullptr) return invalid("a part has no name");
  part.name = decode_browser_escapes(*name);
  if (const std::string* plain = parsed->find("filename")) part.filename = decode_browser_escapes(*plain);
  if (const std::string* extended = parsed->find("filename*")) {
    Result<std::string> decoded = decode_ext_value(*extended);
    if (!decoded) return invalid("a part's filename* cannot be read: " + decoded.error().detail);
    part.filename = std::move(*decoded);
  }
  return part;
}

}  // namespace

Result<PartHeaders> parse_part_headers(std::string_view lines) {
  Seen seen;
  while (!lines.empty()) {
    const std::size_t end = std::min(lines.find("\r\n"), lines.size());
    if (end == 0) return invalid("a part's header holds an empty line");
    TRY(read_line(lines.substr(0, end), seen));
    lines.remove_prefix(std::min(end + 2, lines.size()));
  }
  if (!seen.disposition) return invalid("a part has no Content-Disposition");
  if (seen.encoding) {
    const bool unchanged = ascii_iequal(*seen.encoding, "binary") || ascii_iequal(*seen.encoding, "8bit") ||
                           ascii_iequal(*seen.encoding, "7bit");
    if (!unchanged) return invalid("a part has a Content-Transfer-Encoding; send the bytes as they are");
  }
  TRY_ASSIGN(PartHeaders part, read_disposition(*seen.disposition));
  part.content_type = seen.type.value_or("");
  return part;
}

}  // namespace cloakroom

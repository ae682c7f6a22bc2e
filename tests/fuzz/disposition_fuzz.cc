// disposition_fuzz.cc — any file name: the header is printable ASCII, and a reader gets the name back from it.
#include <algorithm>
#include <cstdint>
#include <string>

#include "base/encode.h"
#include "http/disposition.h"
#include "http/header_params.h"

using namespace cloakroom;

namespace {

bool has_c1_control(std::string_view text) {
  for (std::size_t i = 0; i + 1 < text.size(); ++i) {
    const auto next = static_cast<unsigned char>(text[i + 1]);
    if (text[i] == '\xC2' && next >= 0x80 && next <= 0x9F) return true;
  }
  return false;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view name(reinterpret_cast<const char*>(data), size);
  const std::string header = content_disposition(DispositionKind::kAttachment, name);
  if (!std::all_of(header.begin(), header.end(), [](char c) { return c >= ' ' && c <= '~'; }))
    BUG("unprintable header");
  const auto parsed = parse_header_params(header, QuotedPair::kStandard);
  if (!parsed || parsed->head != "attachment") BUG("the header cannot be read back");
  const std::string* plain = parsed->find("filename");
  const std::string* extended = parsed->find("filename*");
  if (parsed->params.size() != (name.empty() ? 0U : extended != nullptr ? 2U : 1U))
    BUG("a parameter too many or too few");
  if (name.empty()) return 0;
  if (plain == nullptr || plain->find_first_of("\"\\%") != std::string::npos) BUG("unsafe fallback");

  const std::string full = extended == nullptr ? *plain : decode_ext_value(*extended).value_or("");
  if (full.empty() || !is_utf8(full) || has_control(full) || has_c1_control(full)) BUG("unsafe name");
  if (is_utf8(name) && !has_control(name) && !has_c1_control(name) && full != name) BUG("the name did not come back");

  // The same name through a form's part: what we write, we read.
  const auto as_form = parse_header_params(header, QuotedPair::kFormData);
  if (!as_form || *as_form->find("filename") != *plain) BUG("the two readings of a quoted string differ");
  return 0;
}

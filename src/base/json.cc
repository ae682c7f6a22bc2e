// json.cc — jansson's parser and printer with our errors.
#include "base/json.h"

#include <fmt/format.h>

#include <cstdlib>

#include "base/handle.h"

namespace cloakroom {

Result<Json> parse_json(std::string_view text) {
  json_error_t error;
  Json value(json_loadb(text.data(), text.size(), JSON_REJECT_DUPLICATES, &error));
  if (!value)
    return refuse(Errc::kInvalid, fmt::format("The body is not valid JSON: line {}, {}.", error.line, error.text));
  return value;
}

std::string dump_json(const Json& value) {
  const std::unique_ptr<char, CDelete<std::free>> text(json_dumps(value.get(), JSON_COMPACT | JSON_ENCODE_ANY));
  if (!text) BUG("JSON could not be printed");
  return text.get();
}

Json json_text(std::string_view text) {
  json_t* value = json_stringn(text.data(), text.size());
  return Json(value != nullptr ? value : json_null());
}

}  // namespace cloakroom

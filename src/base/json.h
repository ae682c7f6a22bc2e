// json.h — owner of a jansson value. json_decref is static inline in jansson, so it needs a functor of its own.
#pragma once

#include <jansson.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace cloakroom {

struct JsonDelete {
  void operator()(json_t* value) const noexcept { json_decref(value); }
};
using Json = std::unique_ptr<json_t, JsonDelete>;

// Duplicate member names are refused: two readers of such a text may see two different values.
// Errors   kInvalid; `say` names the line.
Result<Json> parse_json(std::string_view text);
std::string dump_json(const Json& value);
Json json_text(std::string_view text);  // null when `text` is not UTF-8

}  // namespace cloakroom

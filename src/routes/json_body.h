// json_body.h — the JSON object that came as a request's body, and the members that more than one route reads.
//
// Errors   kInvalid   with a sentence for the client that names the member
#pragma once

#include <optional>
#include <string>

#include "base/json.h"
#include "routes/app.h"

namespace cloakroom {

Result<Json> read_object(App& app, const Context& context);  // of no body: an empty one
std::optional<std::string> text_member(const Json& object, const char* name);
// An id of the application: "17" and 17 are the same. Empty where there is none, or null.
Result<std::optional<std::string>> optional_id(const Json& object, const char* name);

}  // namespace cloakroom

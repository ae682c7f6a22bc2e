// json_body.cc — reading members, each with its complaint.
#include "routes/json_body.h"

#include "base/limits.h"

namespace cloakroom {

Result<Json> read_object(App& app, const Context& context) {
  TRY_ASSIGN(const std::string text, read_small_body(context.request, app.options.bodies, limits::kJsonBodyBytes));
  TRY_ASSIGN(Json body, parse_json(text.empty() ? "{}" : text));
  if (!json_is_object(body.get())) return refuse(Errc::kInvalid, "Send a JSON object.");
  return body;
}

std::optional<std::string> text_member(const Json& object, const char* name) {
  const json_t* value = json_object_get(object.get(), name);
  if (!json_is_string(value)) return std::nullopt;
  return std::string(json_string_value(value), json_string_length(value));
}

Result<std::optional<std::string>> optional_id(const Json& object, const char* name) {
  const json_t* value = json_object_get(object.get(), name);
  if (value == nullptr || json_is_null(value)) return std::optional<std::string>();
  auto id =
      json_is_integer(value) ? std::optional(std::to_string(json_integer_value(value))) : text_member(object, name);
  if (!id || !is_foreign_id(*id)) return refuse(Errc::kInvalid, std::string(name) + " is not a usable id.");
  return id;
}

}  // namespace cloakroom

// conversations.cc — what the application's server says about messages and dialogs.
#include <algorithm>

#include "base/json.h"
#include "base/limits.h"
#include "routes/app.h"

namespace cloakroom {
namespace {

Result<std::vector<std::string>> read_members(std::string_view text) {
  TRY_ASSIGN(const Json body, parse_json(text));
  const json_t* list = json_is_object(body.get()) ? json_object_get(body.get(), "members") : body.get();
  const Error wrong = refuse(Errc::kInvalid, R"(Send {"members": ["user id", ...]}, at most )" +
                                                 std::to_string(limits::kDialogMembers) + " of them.");
  if (!json_is_array(list) || json_array_size(list) > limits::kDialogMembers) return wrong;
  std::vector<std::string> members;
  for (std::size_t i = 0; i < json_array_size(list); ++i) {
    const json_t* item = json_array_get(list, i);
    std::string id;
    if (json_is_integer(item)) id = std::to_string(json_integer_value(item));
    if (json_is_string(item)) id.assign(json_string_value(item), json_string_length(item));
    if (!is_foreign_id(id)) return wrong;
    members.push_back(std::move(id));
  }
  std::sort(members.begin(), members.end());
  members.erase(std::unique(members.begin(), members.end()), members.end());
  return members;
}

}  // namespace

Result<Response> delete_message(App& app, const Context& context) {
  if (!is_foreign_id(context.params[0])) return cloaked();
  TRY(app.rows.remove_message(context.params[0]));
  Response r;
  r.status = 204;  // also when there was nothing: a repeated delete is a success
  return r;
}

Result<Response> put_members(App& app, const Context& context) {
  const std::string& dialog = context.params[0];
  if (!is_foreign_id(dialog)) return cloaked();
  TRY_ASSIGN(const std::string text, read_small_body(context.request, app.options.bodies, limits::kJsonBodyBytes));
  TRY_ASSIGN(const std::vector<std::string> members, read_members(text));
  TRY(app.rows.replace_members(dialog, members));
  const Json answer(json_object());
  json_object_set_new(answer.get(), "dialog_id", json_text(dialog).release());
  json_object_set_new(answer.get(), "members", json_integer(static_cast<json_int_t>(members.size())));
  return json_response(200, dump_json(answer));
}

}  // namespace cloakroom

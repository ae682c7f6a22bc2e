// limits.cc — what an upload may be, for the page that sends it, and what the user has left.
#include "base/json.h"
#include "routes/app.h"

namespace cloakroom {
namespace {

void put_number(const Json& object, const char* name, std::uint64_t value) {
  json_object_set_new(object.get(), name, json_integer(static_cast<json_int_t>(value)));
}

// Only what is limited is named.
Result<Json> quota_json(App& app, const std::string& user_id) {
  const Quota& quota = app.options.quotas.user;
  TRY_ASSIGN(const Usage used, app.rows.usage_of(user_id));
  Json object(json_object());
  if (quota.bytes > 0) {
    put_number(object, "bytes", quota.bytes);
    put_number(object, "bytes_used", used.bytes);
  }
  if (quota.files > 0) {
    put_number(object, "files", quota.files);
    put_number(object, "files_used", used.files);
  }
  return object;
}

}  // namespace

Result<Response> get_limits(App& app, const Context& context) {
  const Json answer(json_object());
  put_number(answer, "max_upload_size", app.uploads.max_file_bytes());
  put_number(answer, "max_request_size", app.options.bodies.max_request_bytes);
  const Json types(json_array());
  for (const std::string& type : app.uploads.allowed_types()) {
    json_array_append_new(types.get(), json_text(type).release());
  }
  json_object_set(answer.get(), "allowed_types", types.get());
  json_object_set_new(answer.get(), "direct_uploads", json_boolean(app.direct_uploads != nullptr));
  if (app.options.quotas.user.is_on() && context.caller.user_id) {
    TRY_ASSIGN(const Json quota, quota_json(app, *context.caller.user_id));
    json_object_set(answer.get(), "quota", quota.get());
  }
  return json_response(200, dump_json(answer));
}

}  // namespace cloakroom

// attachments.cc — metadata, batches, links and removal.
#include <algorithm>

#include "base/encode.h"
#include "base/limits.h"
#include "routes/app.h"
#include "routes/attachment_json.h"
#include "routes/json_body.h"

namespace cloakroom {
namespace {

Status add_id(std::string_view id, std::vector<std::string>& ids) {
  if (!is_foreign_id(id)) return refuse(Errc::kInvalid, "message_ids holds something that is not an id.");
  ids.emplace_back(id);
  if (ids.size() <= limits::kBatchIds) return Ok{};
  return refuse(Errc::kInvalid, "Ask for at most " + std::to_string(limits::kBatchIds) + " messages at once.");
}

// ?message_ids=a,b: the comma may come encoded, as URLSearchParams and others do. ?message_id=x, once or often, takes
// ids that hold a comma.
Result<std::vector<std::string>> wanted_messages(std::string_view query) {
  std::vector<std::string> ids;
  for (const QueryItem& item : query_items(query)) {
    if (item.name != "message_ids" && item.name != "message_id") continue;
    if (!item.value) return refuse(Errc::kInvalid, "message_ids is not properly percent-encoded.");
    std::string_view list = *item.value;
    if (item.name == "message_id") {
      TRY(add_id(list, ids));
      continue;
    }
    while (!list.empty()) {
      const std::string_view one = list.substr(0, list.find(','));
      list.remove_prefix(std::min(one.size() + 1, list.size()));
      TRY(add_id(one, ids));
    }
  }
  return ids;
}

Result<LinkRequest> read_link(const Caller& caller, std::string_view text) {
  TRY_ASSIGN(const Json body, parse_json(text));
  if (!json_is_object(body.get()))
    return refuse(Errc::kInvalid, "Send a JSON object with message_id and attachment_ids.");
  LinkRequest link;
  TRY_ASSIGN(auto message, optional_id(body, "message_id"));
  if (!message) return refuse(Errc::kInvalid, "message_id is missing.");
  link.message_id = *std::move(message);
  TRY_ASSIGN(link.dialog_id, optional_id(body, "dialog_id"));
  TRY_ASSIGN(link.uploader_id, optional_id(body, "uploader_id"));
  link.by_service = caller.is_service();
  if (!caller.is_service() && link.uploader_id && link.uploader_id != caller.user_id) {
    return refuse(Errc::kDenied, "uploader_id is for the service token; you can link your own uploads alone.");
  }
  if (!link.uploader_id) link.uploader_id = caller.user_id;

  const json_t* ids = json_object_get(body.get(), "attachment_ids");
  const std::size_t count = json_array_size(ids);
  if (!json_is_array(ids) || count == 0 || count > limits::kBatchIds) {
    return refuse(Errc::kInvalid,
                  "attachment_ids must be a list of 1 to " + std::to_string(limits::kBatchIds) + " ids.");
  }
  for (std::size_t i = 0; i < count; ++i) {
    const json_t* item = json_array_get(ids, i);
    const auto id = parse_uuid(json_is_string(item) ? std::string_view(json_string_value(item)) : std::string_view());
    // an id that cannot exist is no different from one that does not
    link.attachment_ids.push_back(id ? *id : Uuid{});
  }
  return link;
}

}  // namespace

Result<Response> get_attachment(App& app, const Context& context) {
  const Uuid id = named_id(context.params[0]);
  TRY_ASSIGN(const auto found, find_file(app, context, id));
  TRY(check_read(context.caller, found));
  return json_response(200, dump_json(attachment_json(app, found->attachment)));
}

Result<Response> list_attachments(App& app, const Context& context) {
  const std::string_view query = context.request.query;
  if (query_value(query, "status") == "uploaded") {
    // what an uploader whose answer got lost still has here
    TRY_ASSIGN(const auto own, app.rows.find_unlinked(context.caller.user_id, limits::kListRows));
    return json_response(200, attachments_text(app, own));
  }
  TRY_ASSIGN(const auto ids, wanted_messages(query));
  if (ids.empty()) return refuse(Errc::kInvalid, "Say which: ?message_ids=a,b or ?status=uploaded");
  TRY_ASSIGN(const auto found, app.rows.find_by_messages(ids, context.caller.user_id));
  std::vector<Attachment> readable;
  for (const ReadableAttachment& one : found) {
    if (may_read(context.caller, one)) readable.push_back(one.attachment);
  }
  return json_response(200, attachments_text(app, readable));
}

Result<Response> delete_attachment(App& app, const Context& context) {
  const Uuid id = named_id(context.params[0]);
  TRY_ASSIGN(const auto found, find_file(app, context, id));
  TRY(check_remove(context.caller, found));
  TRY_ASSIGN(const bool removed, app.rows.remove_unlinked(id));
  if (!removed) return refuse(Errc::kConflict, "The attachment was linked or removed a moment ago.");
  Response r;
  r.status = 204;
  return r;
}

Result<Response> link_attachments(App& app, const Context& context) {
  TRY_ASSIGN(const std::string text, read_small_body(context.request, app.options.bodies, limits::kJsonBodyBytes));
  TRY_ASSIGN(LinkRequest link, read_link(context.caller, text));
  link.dialog_quota = app.options.quotas.dialog;
  TRY_ASSIGN(const std::vector<Attachment> linked, app.rows.link(link));
  return json_response(200, attachments_text(app, linked));
}

}  // namespace cloakroom

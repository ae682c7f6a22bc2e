// upload.cc — files in: multipart forms and raw bodies.
#include <algorithm>

#include "base/limits.h"
#include "http/multipart.h"
#include "routes/app.h"
#include "routes/attachment_json.h"

namespace cloakroom {
namespace {

Result<std::string> field_value(const Body& body, const Part& part) {
  if (part.size_bytes > limits::kFieldBytes)
    return refuse(Errc::kInvalid, "The field '" + part.name + "' is too long.");
  std::string value(static_cast<std::size_t>(part.size_bytes), '\0');
  TRY_ASSIGN(const std::size_t got, read_at(body.range.fd, std::as_writable_bytes(std::span(value)), part.offset));
  value.resize(got);
  return value;
}

// None when it is not given or empty. One that cannot be read is not "none": the file would be in no dialog.
Result<std::optional<std::string>> dialog_of(std::string_view query) {
  for (QueryItem& item : query_items(query)) {
    if (item.name != "dialog_id") continue;
    if (!item.value || (!item.value->empty() && !is_foreign_id(*item.value)))
      return refuse(Errc::kInvalid, "dialog_id is not a usable id.");
    if (item.value->empty()) return std::optional<std::string>();
    return std::move(item.value);
  }
  return std::optional<std::string>();
}

Result<Response> take(App& app, const UploadRequest& upload, bool as_list) {
  TRY_ASSIGN(const std::vector<Attachment> made, app.uploads.take(upload));
  if (as_list) return json_response(201, attachments_text(app, made));
  Response r = json_response(201, dump_json(attachment_json(app, made.front())));
  r.add("Location", app.options.route_prefix + "/attachments/" + to_string(made.front().id));
  return r;
}

}  // namespace

Result<Response> post_upload(App& app, const Context& context) {
  TRY_ASSIGN(const std::string boundary, multipart_boundary(context.request.content_type));
  Body body;
  TRY(open_body(context.request, app.options.bodies, body));
  TRY_ASSIGN(const std::vector<Part> parts, parse_multipart(body.range, boundary));
  UploadRequest upload{.caller = context.caller, .dialog_id = {}, .files = {}, .claim = {context.spenders}};
  for (const Part& part : parts) {
    if (part.is_file()) {
      upload.files.push_back({*part.filename, FileRange{body.range.fd, part.offset, part.size_bytes, {}}});
    } else if (part.name == "dialog_id") {
      TRY_ASSIGN(std::string dialog, field_value(body, part));
      if (dialog.empty()) continue;
      if (!is_foreign_id(dialog)) return refuse(Errc::kInvalid, "The field dialog_id is not a usable id.");
      upload.dialog_id = std::move(dialog);
    }
  }
  if (upload.files.empty())
    return refuse(Errc::kInvalid, "The form has no file part; send one with: curl -F file=@NAME");
  return take(app, upload, true);
}

Result<Response> put_upload(App& app, const Context& context) {
  // Before a byte is read, where the client announces the size.
  if (context.request.content_length.value_or(0) > app.uploads.max_file_bytes()) {
    return refuse(Errc::kTooLarge,
                  "The file is larger than " + std::to_string(app.uploads.max_file_bytes()) + " bytes.");
  }
  Body body;
  TRY(open_body(context.request, app.options.bodies, body));
  UploadRequest upload{.caller = context.caller, .dialog_id = {}, .files = {}, .claim = {context.spenders}};
  TRY_ASSIGN(upload.dialog_id, dialog_of(context.request.query));
  upload.files.push_back({context.params[0], body.range});
  return take(app, upload, false);
}

// nginx asks this before it spools a body: an anonymous upload, and one from a foreign page, are refused at once. nginx
// understands 2xx, 401 and 403 alone, so every other fault is left to the upload itself, which can say what is wrong.
Result<Response> may_upload(App& app, const Context& context) {
  const auto caller = app.identity.who(evidence_of(context.request), app.clock.now());
  if (!caller && caller.error().code == Errc::kUnauthenticated) return caller.error();
  TRY(check_origin(app, context.request));
  Response yes;
  yes.status = 204;
  return yes;
}

}  // namespace cloakroom

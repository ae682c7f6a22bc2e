// external.cc — files that live elsewhere: the application's server registers them, and readers are sent there.
#include "domain/external.h"

#include "base/encode.h"
#include "http/media_type.h"
#include "routes/attachment_json.h"
#include "routes/file_answer.h"
#include "routes/json_body.h"

namespace cloakroom {
namespace {

Result<std::string> needed_text(const Json& body, const char* name) {
  auto text = text_member(body, name);
  if (!text || text->empty()) return refuse(Errc::kInvalid, std::string(name) + " is missing, or no text.");
  return *std::move(text);
}

// Nobody looks at the bytes, so what the caller says is all there is: a slip must not become "bytes of some kind".
Result<std::string> read_type(const Json& body) {
  constexpr std::string_view kAnyBytes = "application/octet-stream";
  TRY_ASSIGN(const std::string given, needed_text(body, "mime_type"));
  std::string type = canonical_mime(given);
  if (type == kAnyBytes && ascii_lower(given).find(kAnyBytes) == std::string::npos) {
    return refuse(Errc::kInvalid, "mime_type must be a media type, such as image/png.");
  }
  return type;
}

}  // namespace

Result<Response> post_attachment(App& app, const Context& context) {
  TRY_ASSIGN(const Json body, read_object(app, context));
  ExternalFile file;
  TRY_ASSIGN(file.url, needed_text(body, "external_url"));
  TRY_ASSIGN(file.filename, needed_text(body, "filename"));
  TRY_ASSIGN(file.mime_type, read_type(body));
  TRY_ASSIGN(file.uploader_id, optional_id(body, "uploader_id"));
  TRY_ASSIGN(file.dialog_id, optional_id(body, "dialog_id"));
  TRY_ASSIGN(file.message_id, optional_id(body, "message_id"));
  TRY_ASSIGN(file.account_id, optional_id(body, "account_id"));
  if (!file.uploader_id) file.uploader_id = context.caller.user_id;
  TRY_ASSIGN(const Attachment made, external_attachment(file, app.clock.now()));
  TRY(app.rows.add_external(made));
  Response created = json_response(201, dump_json(attachment_json(app, made)));
  created.add("Location", stable_url(app, made));
  return created;
}

Response redirect_to(std::string_view url) {
  Response moved;
  moved.status = 302;
  // the URL may be a bearer token, and the next one may not be let in: it must not stay in caches (nor in a Referer:
  // see reply.h)
  moved.add("Location", url).add("Cache-Control", "private, no-store");
  return moved;
}

}  // namespace cloakroom

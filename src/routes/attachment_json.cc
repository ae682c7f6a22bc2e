// attachment_json.cc — rows to JSON; store keys stay inside.
#include "routes/attachment_json.h"

#include "base/encode.h"
#include "http/disposition.h"
#include "http/media_type.h"

namespace cloakroom {
namespace {

Json optional_text(const std::optional<std::string>& text) {
  return text ? json_text(*text) : Json(json_null());
}
Json optional_number(const std::optional<std::uint32_t>& n) {
  return n ? Json(json_integer(*n)) : Json(json_null());
}

}  // namespace

FileHeaders file_headers(const Attachment& attachment, bool force_download) {
  const bool shown = is_inline_safe(attachment.mime_type) && !force_download;
  const auto kind = shown ? DispositionKind::kInline : DispositionKind::kAttachment;
  // 128 bits of the content's hash: a strong validator that survives moves between stores
  return {.etag = "\"" + hex_encode(std::span(attachment.sha256).first(16)) + "\"",
          .content_type = attachment.mime_type == "text/plain" ? "text/plain; charset=utf-8" : attachment.mime_type,
          .disposition = content_disposition(kind, attachment.filename)};
}

std::string stable_url(const App& app, const Attachment& a) {
  return app.options.route_prefix + "/files/" + to_string(a.id) + "/" + percent_encode(a.filename);
}

Json attachment_json(const App& app, const Attachment& a) {
  Json object(json_object());
  const auto put = [&](const char* name, Json value) { json_object_set_new(object.get(), name, value.release()); };
  const std::string id = to_string(a.id);
  // an address that answers without asking us would give out what is in quarantine
  const bool asks_us = a.status == AttachmentStatus::kQuarantined;
  std::string url = asks_us ? std::string() : app.downloads.cdn_url(a);
  if (url.empty()) url = stable_url(app, a);
  const FileHeaders headers = file_headers(a, false);
  const std::string direct =
      asks_us ? std::string() : app.downloads.direct_url(a, {headers.disposition, headers.content_type});
  put("id", json_text(id));
  put("message_id", optional_text(a.message_id));
  put("dialog_id", optional_text(a.dialog_id));
  put("account_id", optional_text(a.account_id));
  put("uploader_id", optional_text(a.uploader_id));
  put("status", json_text(to_string(a.status)));
  put("file_type", json_text(file_type(a.mime_type)));
  put("filename", json_text(a.filename));
  put("extension", json_text(extension_of(a.filename)));
  put("mime_type", json_text(a.mime_type));
  put("size", Json(json_integer(static_cast<json_int_t>(a.size_bytes))));
  put("file_size", Json(json_integer(static_cast<json_int_t>(a.size_bytes))));
  put("sha256", json_text(hex_encode(a.sha256)));
  put("width", optional_number(a.width));
  put("height", optional_number(a.height));
  put("placeholder", Json(json_null()));
  put("url", json_text(url));
  put("data_url", json_text(direct.empty() ? url : direct));
  put("thumb_url", json_text(""));  // no thumbnails yet: clients show the file itself
  put("created_at", json_text(iso8601_ms(a.created_at)));
  return object;
}

std::string attachments_text(const App& app, std::span<const Attachment> attachments) {
  const Json list(json_array());
  for (const Attachment& a : attachments) json_array_append_new(list.get(), attachment_json(app, a).release());
  return dump_json(list);
}

}  // namespace cloakroom

// attachment_json.cc — rows to JSON; store keys stay inside.
#include "routes/attachment_json.h"

#include <algorithm>
#include <vector>

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
  const std::string type = sent_type(attachment.mime_type);
  const auto kind = shown ? DispositionKind::kInline : DispositionKind::kAttachment;
  // 128 bits of the content's hash: a strong validator that survives moves between stores
  return {.etag = "\"" + hex_encode(std::span(attachment.sha256).first(16)) + "\"",
          .content_type = type == "text/plain" ? "text/plain; charset=utf-8" : type,
          .disposition = content_disposition(kind, attachment.filename)};
}

std::string stable_url(const App& app, const Attachment& a) {
  return app.options.route_prefix + "/files/" + to_string(a.id) + "/" + percent_encode(a.filename);
}

namespace {

// Thumbnails with an address of their own, where they have one.
std::vector<Variant> made_thumbs(const App& app, std::span<const Attachment> attachments) {
  if (app.variants == nullptr || !app.downloads.gives_direct_urls()) return {};
  std::vector<Uuid> ids;
  for (const Attachment& a : attachments) {
    if (a.status != AttachmentStatus::kQuarantined && app.variants->may_be_made(a)) ids.push_back(a.id);
  }
  auto found = app.variants->thumbs(ids);
  return found ? *std::move(found) : std::vector<Variant>();  // the stable address does, too
}

// Empty where it is known that there is none, or nobody knows and it is not even a picture by its type.
std::string thumb_url(const App& app, const Attachment& a, std::span<const Variant> made) {
  if (a.external_url && a.status != AttachmentStatus::kQuarantined) return *a.external_url;
  const VariantSize* size = app.variants == nullptr ? nullptr : app.variants->thumb();
  const bool is_likely = a.picture != Picture::kUnknown || file_type(a.mime_type) == "image";
  if (size == nullptr || a.status == AttachmentStatus::kQuarantined || !is_likely || !app.variants->may_be_made(a)) {
    return {};
  }
  const auto own = std::find_if(made.begin(), made.end(), [&](const Variant& v) { return v.id.attachment_id == a.id; });
  if (own != made.end()) {
    const Attachment file = as_file(*own, a);
    const FileHeaders headers = file_headers(file, false);
    std::string direct = app.downloads.direct_url(file, {headers.disposition, headers.content_type});
    if (!direct.empty()) return direct;
  }
  return app.options.route_prefix + "/files/" + to_string(a.id) + "/" + size->name + "/" + percent_encode(a.filename);
}

Json size_of(const Attachment& a) {
  return a.external_url ? Json(json_null()) : Json(json_integer(static_cast<json_int_t>(a.size_bytes)));
}

// Where the bytes are, without asking us; empty: only here.
std::string direct_url(const App& app, const Attachment& a) {
  if (a.external_url) return *a.external_url;
  const FileHeaders headers = file_headers(a, false);
  return app.downloads.direct_url(a, {headers.disposition, headers.content_type});
}

Json one_json(const App& app, const Attachment& a, std::span<const Variant> thumbs) {
  Json object(json_object());
  const auto put = [&](const char* name, Json value) { json_object_set_new(object.get(), name, value.release()); };
  const std::string id = to_string(a.id);
  // an address that answers without asking us would give out what is in quarantine
  const bool asks_us = a.status == AttachmentStatus::kQuarantined;
  std::string url = asks_us ? std::string() : app.downloads.cdn_url(a);
  if (url.empty()) url = stable_url(app, a);
  const std::string direct = asks_us ? std::string() : direct_url(app, a);
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
  put("size", size_of(a));
  put("file_size", size_of(a));
  put("sha256", a.external_url ? Json(json_null()) : json_text(hex_encode(a.sha256)));
  put("width", optional_number(a.width));
  put("height", optional_number(a.height));
  put("placeholder", optional_text(a.placeholder));
  put("frames", optional_number(a.frames));
  put("duration_ms", optional_number(a.duration_ms));
  put("url", json_text(url));
  put("data_url", json_text(direct.empty() ? url : direct));
  put("thumb_url", json_text(thumb_url(app, a, thumbs)));
  put("created_at", json_text(iso8601_ms(a.created_at)));
  return object;
}

}  // namespace

Json attachment_json(const App& app, const Attachment& a) {
  return one_json(app, a, made_thumbs(app, std::span(&a, 1)));
}

std::string attachments_text(const App& app, std::span<const Attachment> attachments) {
  const Json list(json_array());
  const std::vector<Variant> thumbs = made_thumbs(app, attachments);
  for (const Attachment& a : attachments) json_array_append_new(list.get(), one_json(app, a, thumbs).release());
  return dump_json(list);
}

}  // namespace cloakroom

// direct.cc — tickets for uploads that go straight to the store, and their completion.
#include <algorithm>

#include "base/encode.h"
#include "base/limits.h"
#include "http/media_type.h"
#include "routes/app.h"
#include "routes/attachment_json.h"
#include "routes/json_body.h"

namespace cloakroom {
namespace {

Error no_store() {
  return refuse(Errc::kConflict, "Direct uploads need an S3 store, and this server keeps new files on its own disk.");
}

bool has_member(const Json& object, const char* name) {
  const json_t* value = json_object_get(object.get(), name);
  return value != nullptr && !json_is_null(value);
}

Result<Sha256Digest> read_digest(const std::string& hex) {
  const auto bytes = hex_decode(hex);
  Sha256Digest digest{};
  if (!bytes || bytes->size() != digest.size()) return refuse(Errc::kInvalid, "sha256 must be 64 hexadecimal digits.");
  std::copy(bytes->begin(), bytes->end(), digest.begin());
  return digest;
}

Result<DirectRequest> read_wish(const Context& context, const Json& body) {
  DirectRequest wish;
  wish.caller = context.caller;
  wish.claim.spenders = context.spenders;
  const auto filename = text_member(body, "filename");
  if (!filename || filename->empty()) return refuse(Errc::kInvalid, "filename is missing.");
  wish.filename = *filename;
  const json_t* size = json_object_get(body.get(), "size");
  if (!json_is_integer(size) || json_integer_value(size) < 0) {
    return refuse(Errc::kInvalid, "size must be the number of bytes of the file.");
  }
  wish.size_bytes = static_cast<std::uint64_t>(json_integer_value(size));
  wish.content_type = canonical_mime(text_member(body, "content_type").value_or(""));
  if (has_member(body, "sha256")) {
    TRY_ASSIGN(wish.sha256, read_digest(text_member(body, "sha256").value_or("")));
  }
  if (has_member(body, "dialog_id")) {
    const json_t* dialog = json_object_get(body.get(), "dialog_id");
    wish.dialog_id = json_is_integer(dialog) ? std::to_string(json_integer_value(dialog))
                                             : text_member(body, "dialog_id").value_or("");
    if (!is_foreign_id(*wish.dialog_id)) return refuse(Errc::kInvalid, "dialog_id is not a usable id.");
  }
  return wish;
}

Result<std::vector<unsigned>> read_numbers(const Json& body) {
  const json_t* list = json_object_get(body.get(), "part_numbers");
  const std::size_t count = json_array_size(list);
  const Error wrong = refuse(
      Errc::kInvalid, "part_numbers must be a list of 1 to " + std::to_string(limits::kSignedParts) + " numbers.");
  if (!json_is_array(list) || count == 0 || count > limits::kSignedParts) return wrong;
  std::vector<unsigned> numbers;
  for (std::size_t i = 0; i < count; ++i) {
    const json_t* item = json_array_get(list, i);
    if (!json_is_integer(item) || json_integer_value(item) < 1 || json_integer_value(item) > 10000) return wrong;
    numbers.push_back(static_cast<unsigned>(json_integer_value(item)));
  }
  return numbers;
}

Result<std::vector<UploadedPart>> read_parts(const Json& body) {
  std::vector<UploadedPart> parts;
  const json_t* list = json_object_get(body.get(), "parts");
  for (std::size_t i = 0; i < json_array_size(list); ++i) {
    json_t* item = json_array_get(list, i);
    json_int_t number = 0;
    const char* etag = nullptr;
    const bool is_part = json_unpack(item, "{s:I, s:s}", "part_number", &number, "etag", &etag) == 0;
    const std::string_view tag = is_part ? etag : "";
    if (!is_part || number < 1 || number > 10000 || tag.empty() || tag.size() > 128 || has_control(tag)) {
      return refuse(Errc::kInvalid, R"(parts must be a list of {"part_number": 1, "etag": "..."}.)");
    }
    parts.push_back({static_cast<unsigned>(number), std::string(tag)});
  }
  return parts;
}

void put(const Json& object, const char* name, Json value) {
  json_object_set_new(object.get(), name, value.release());
}

Json pairs_json(const std::vector<std::pair<std::string, std::string>>& pairs) {
  Json object(json_object());  // keeps the order in which members were set
  for (const auto& [name, value] : pairs) put(object, name.c_str(), json_text(value));
  return object;
}

void put_request(const Json& object, const BrowserRequest& request) {
  put(object, "method", json_text(request.method));
  put(object, "url", json_text(request.url));
  if (request.method == "POST") {
    put(object, "fields", pairs_json(request.fields));
  } else {
    put(object, "headers", pairs_json(request.headers));
  }
}

Result<Uuid> ticket_id(const Context& context) {
  auto id = parse_uuid(context.params[0]);
  if (!id) return cloaked();
  return id;
}

}  // namespace

Result<Response> post_direct_upload(App& app, const Context& context) {
  if (app.direct_uploads == nullptr) return no_store();
  TRY_ASSIGN(const Json body, read_object(app, context));
  TRY_ASSIGN(const DirectRequest wish, read_wish(context, body));
  TRY_ASSIGN(const DirectTicket ticket, app.direct_uploads->open(wish));
  const std::string id = to_string(ticket.id);
  const std::string here = app.options.route_prefix + "/direct-uploads/" + id;
  const Json answer(json_object());
  put(answer, "id", json_text(id));
  if (ticket.part_bytes > 0) {
    const Json parts(json_object());
    put(parts, "part_size", Json(json_integer(static_cast<json_int_t>(ticket.part_bytes))));
    put(parts, "count", Json(json_integer(ticket.part_count)));
    put(parts, "url", json_text(here + "/parts"));
    put(answer, "parts", Json(json_incref(parts.get())));
  } else {
    put_request(answer, ticket.request);
  }
  put(answer, "complete_url", json_text(here + "/complete"));
  put(answer, "expires_at", json_text(iso8601_ms(ticket.expires_at)));
  return json_response(201, dump_json(answer));
}

Result<Response> sign_direct_parts(App& app, const Context& context) {
  if (app.direct_uploads == nullptr) return no_store();
  TRY_ASSIGN(const Uuid id, ticket_id(context));
  TRY_ASSIGN(const Json body, read_object(app, context));
  TRY_ASSIGN(const std::vector<unsigned> numbers, read_numbers(body));
  TRY_ASSIGN(const auto requests, app.direct_uploads->sign_parts(context.caller, id, numbers));
  const Json list(json_array());
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const Json part(json_object());
    put(part, "part_number", Json(json_integer(numbers[i])));
    put_request(part, requests[i]);
    json_array_append(list.get(), part.get());
  }
  const Json answer(json_object());
  json_object_set(answer.get(), "parts", list.get());
  return json_response(200, dump_json(answer));
}

Result<Response> complete_direct_upload(App& app, const Context& context) {
  if (app.direct_uploads == nullptr) return no_store();
  TRY_ASSIGN(const Uuid id, ticket_id(context));
  TRY_ASSIGN(const Json body, read_object(app, context));
  TRY_ASSIGN(const std::vector<UploadedPart> parts, read_parts(body));
  TRY_ASSIGN(const Completed done, app.direct_uploads->complete(context.caller, id, parts, {context.spenders}));
  Response r = json_response(done.is_new ? 201 : 200, dump_json(attachment_json(app, done.attachment)));
  r.add("Location", app.options.route_prefix + "/attachments/" + to_string(done.attachment.id));
  return r;
}

}  // namespace cloakroom

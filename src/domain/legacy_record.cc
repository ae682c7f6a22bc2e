// legacy_record.cc — fields are looked up in the row or in an element of its list.
#include "domain/legacy_record.h"

#include <span>

#include "base/encode.h"
#include "base/id.h"
#include "domain/legacy_path.h"
#include "domain/legacy_time.h"

namespace cloakroom {
namespace {

Json share(const json_t* value) {
  return Json(json_incref(const_cast<json_t*>(value)));  // NOLINT: a count is no change to the value
}

// Texts that hold JSON are read where something within them is named. Null: there is no such thing.
Result<Json> look_up(const json_t* from, std::span<const std::string> steps) {
  Json at = share(from);
  for (const std::string& step : steps) {
    if (json_is_string(at.get())) {
      TRY_ASSIGN(at, parse_json({json_string_value(at.get()), json_string_length(at.get())}));
    }
    const json_t* next = json_object_get(at.get(), step.c_str());
    if (next == nullptr || json_is_null(next)) return Json();
    at = share(next);
  }
  return at;
}

struct Place {
  const json_t* row;
  const json_t* element;  // null without a list
};

// Text and whole numbers; empty where there is nothing.
Result<std::optional<std::string>> text_of(const LegacyField& field, const Place& place) {
  TRY_ASSIGN(const Json value, look_up(field.of_file ? place.element : place.row, field.steps));
  if (!value || json_is_null(value.get())) return std::optional<std::string>();
  if (json_is_integer(value.get())) return std::optional(std::to_string(json_integer_value(value.get())));
  if (!json_is_string(value.get())) return Error{Errc::kInvalid, "is neither a text nor a whole number"};
  std::string text(json_string_value(value.get()), json_string_length(value.get()));
  if (text.empty()) return std::optional<std::string>();
  return std::optional(std::move(text));
}

Result<std::optional<std::string>> id_of(const std::optional<LegacyField>& field, const Place& place,
                                         const char* name) {
  if (!field) return std::optional<std::string>();
  auto text = text_of(*field, place);
  if (!text) return Error{Errc::kInvalid, std::string(name) + " " + text.error().detail};
  if (*text && !is_foreign_id(**text)) return Error{Errc::kInvalid, std::string(name) + " is no usable id"};
  return text;
}

// The element's facts but for its path.
Status fill(const BackfillMapping::Fields& fields, const Place& place, LegacyFile& file) {
  TRY_ASSIGN(file.dialog_id, id_of(fields.dialog_id, place, "dialog_id"));
  TRY_ASSIGN(file.uploader_id, id_of(fields.uploader_id, place, "uploader_id"));
  TRY_ASSIGN(file.account_id, id_of(fields.account_id, place, "account_id"));
  if (fields.filename) {
    TRY_ASSIGN(auto name, text_of(*fields.filename, place));
    if (name) file.filename = *std::move(name);
  }
  if (fields.created_at) {
    TRY_ASSIGN(const auto text, text_of(*fields.created_at, place));
    if (text) {
      TRY_ASSIGN(file.created_at, parse_legacy_time(*text));
    }
  }
  if (fields.size) {
    TRY_ASSIGN(const auto text, text_of(*fields.size, place));
    if (text) {
      const auto size = parse_u64(*text);
      if (!size) return Error{Errc::kInvalid, "size is no number of bytes"};
      file.size_bytes = *size;
    }
  }
  return Ok{};
}

void read_file(const BackfillMapping& mapping, const Place& place, LegacyRecord& out) {
  const BackfillMapping::Fields& fields = mapping.fields;
  const auto path = text_of(fields.path, place);
  const std::string shown = path ? path->value_or("") : "";
  const auto message = id_of(fields.message_id, place, "message_id");
  const std::string message_id = message ? message->value_or("") : "";
  const auto trouble = [&](std::string_view reason, std::string detail) {
    out.troubles.push_back({message_id, shown, reason, std::move(detail)});
  };
  if (!message) return trouble("bad_row", message.error().detail);
  if (!*message) return trouble("bad_row", "the file belongs to no message");
  if (!path || !*path) return trouble("bad_path", path ? "there is no path" : "path " + path.error().detail);
  auto key = legacy_path(shown, {mapping.strip, mapping.percent_encoded});
  if (!key) return trouble("bad_path", key.error().detail);
  const std::string name = key->str().substr(key->str().rfind('/') + 1);
  LegacyFile file{.message_id = message_id, .path = *std::move(key), .filename = name};
  if (const Status filled = fill(fields, place, file); !filled) return trouble("bad_row", filled.error().detail);
  out.files.push_back(std::move(file));
}

}  // namespace

LegacyRecord read_record(const BackfillMapping& mapping, const json_t* row) {
  LegacyRecord out;
  if (!mapping.files) {
    read_file(mapping, {row, nullptr}, out);
    return out;
  }
  const auto trouble = [&](std::string detail) {
    const auto message = mapping.fields.message_id.of_file ? Result<std::optional<std::string>>(std::nullopt)
                                                           : text_of(mapping.fields.message_id, {row, nullptr});
    out.troubles.push_back({message ? message->value_or("") : "", "", "bad_json", std::move(detail)});
  };
  auto list = look_up(row, mapping.files->steps);
  if (list && *list && json_is_string(list->get())) {
    const std::string_view text(json_string_value(list->get()), json_string_length(list->get()));
    if (text.find_first_not_of(" \t\r\n") == std::string_view::npos || text == "null") return out;
    list = parse_json(text);
  }
  if (!list) {
    trouble(list.error().detail.substr(list.error().detail.find(':') + 1));
    return out;
  }
  const json_t* value = list->get();
  if (value == nullptr || json_is_null(value)) return out;
  if (json_is_object(value)) {
    read_file(mapping, {row, value}, out);
    return out;
  }
  if (!json_is_array(value)) {
    trouble(" it is no list");
    return out;
  }
  for (std::size_t i = 0; i < json_array_size(value); ++i) {
    const json_t* element = json_array_get(value, i);
    if (!json_is_null(element)) read_file(mapping, {row, element}, out);
  }
  return out;
}

}  // namespace cloakroom

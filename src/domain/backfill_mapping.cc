// backfill_mapping.cc — each member with its own complaint.
#include "domain/backfill_mapping.h"

#include <algorithm>
#include <initializer_list>

#include "base/encode.h"
#include "domain/object_key.h"

namespace cloakroom {
namespace {

Error wrong(const std::string& member, std::string_view what) {
  return Error{Errc::kInvalid, "mapping: \"" + member + "\" " + std::string(what)};
}

// One object of the mapping, whose members have the names that are given.
class Members {
 public:
  static Result<Members> of(const json_t* value, const std::string& name, std::initializer_list<const char*> known) {
    if (!json_is_object(value)) return wrong(name, "must be an object { … }");
    const char* member = nullptr;
    json_t* ignored = nullptr;
    json_object_foreach(const_cast<json_t*>(value), member, ignored) {  // NOLINT: the macro wants no const
      const auto is_it = [&](const char* one) { return std::string_view(one) == member; };
      if (std::any_of(known.begin(), known.end(), is_it)) continue;
      std::string names;
      for (const char* one : known) names.append(names.empty() ? "" : ", ").append(one);
      return wrong(path_of(name, member), "is not known; there are: " + names);
    }
    return Members(value, name);
  }

  const json_t* get(const char* member) const {
    const json_t* value = json_object_get(value_, member);
    return json_is_null(value) ? nullptr : value;
  }
  std::string path(const char* member) const { return path_of(name_, member); }

  Result<std::optional<std::string>> text(const char* member) const {
    const json_t* value = get(member);
    if (value == nullptr) return std::optional<std::string>();
    if (!json_is_string(value)) return wrong(path(member), "must be a text");
    return std::optional(std::string(json_string_value(value), json_string_length(value)));
  }
  Result<std::string> needed(const char* member, std::string_view remedy) const {
    TRY_ASSIGN(auto found, text(member));
    if (!found || found->empty()) return wrong(path(member), "is missing: " + std::string(remedy));
    return *std::move(found);
  }
  Result<bool> flag(const char* member) const {
    const json_t* value = get(member);
    if (value != nullptr && !json_is_boolean(value)) return wrong(path(member), "must be true or false");
    return value != nullptr && json_is_true(value);
  }

 private:
  Members(const json_t* value, std::string name) : value_(value), name_(std::move(name)) {}
  static std::string path_of(const std::string& name, const char* member) {
    return name.empty() ? member : name + "." + member;
  }

  const json_t* value_;
  std::string name_;
};

Result<LegacyField> parse_field(const std::string& member, std::string_view text, bool has_list) {
  LegacyField field;
  std::string_view rest = text;
  std::vector<std::string> words;
  while (true) {
    const std::size_t dot = rest.find('.');
    words.emplace_back(rest.substr(0, dot));
    if (dot == std::string_view::npos) break;
    rest.remove_prefix(dot + 1);
  }
  field.of_file = words.front() == "file";
  const bool is_whole = field.of_file || (words.front() == "row" && words.size() > 1);
  if (!is_whole || std::any_of(words.begin(), words.end(), [](const std::string& w) { return w.empty(); })) {
    return wrong(member, "must be like \"row.COLUMN\" or \"file.MEMBER\", not \"" + std::string(text) + "\"");
  }
  if (field.of_file && !has_list) return wrong(member, "names a file of a list, but \"files\" does not say which list");
  field.steps.assign(words.begin() + 1, words.end());
  return field;
}

Result<std::string> absolute_path(const Members& in, const char* member, std::string_view remedy) {
  std::string path;
  TRY_ASSIGN(path, in.needed(member, remedy));
  if (!path.starts_with('/')) return wrong(in.path(member), "must be a whole path, from / on");
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

Result<BackfillMapping::Query> parse_query(const json_t* value) {
  TRY_ASSIGN(const Members in, Members::of(value, "source.postgresql", {"database_env", "schema", "query", "key"}));
  BackfillMapping::Query out;
  TRY_ASSIGN(auto env, in.text("database_env"));
  out.database_env = env.value_or("");
  TRY_ASSIGN(auto schema, in.text("schema"));
  out.schema = schema.value_or("public");
  TRY_ASSIGN(out.sql, in.needed("query", "a SELECT that gives a row for each message, with its key"));
  while (!out.sql.empty() && (out.sql.back() == ';' || out.sql.back() == ' ' || out.sql.back() == '\n')) {
    out.sql.pop_back();
  }
  if (out.sql.find(';') != std::string::npos) return wrong(in.path("query"), "must be one SELECT, without a semicolon");
  TRY_ASSIGN(out.key, in.needed("key", "the column of the query that is unique, such as id; the walk goes along it"));
  return out;
}

Result<BackfillMapping::Csv> parse_csv(const json_t* value) {
  TRY_ASSIGN(const Members in, Members::of(value, "source.csv", {"path", "dialect", "delimiter", "columns", "null"}));
  BackfillMapping::Csv out;
  TRY_ASSIGN(out.path, absolute_path(in, "path", "the exported file"));
  TRY_ASSIGN(const auto dialect, in.text("dialect"));
  if (dialect && *dialect != "rfc4180" && *dialect != "mysql") {
    return wrong(in.path("dialect"), "must be \"rfc4180\" (quotes are doubled) or \"mysql\" (backslashes, \\N)");
  }
  if (dialect == "mysql") out.dialect = CsvDialect::kMysql;
  TRY_ASSIGN(const auto delimiter, in.text("delimiter"));
  const bool is_usable = !delimiter || (delimiter->size() == 1 && *delimiter != "\"" && *delimiter != "\n" &&
                                        *delimiter != "\r" && *delimiter != "\\");
  if (!is_usable) return wrong(in.path("delimiter"), "must be one character such as \",\", \";\" or \"\\t\"");
  if (delimiter) out.delimiter = delimiter->front();
  TRY_ASSIGN(out.null, in.text("null"));
  const json_t* columns = in.get("columns");
  if (columns != nullptr && !json_is_array(columns)) {
    return wrong(in.path("columns"), "must be a list of names, for files whose first line does not name them");
  }
  for (std::size_t i = 0; columns != nullptr && i < json_array_size(columns); ++i) {
    const json_t* name = json_array_get(columns, i);
    if (!json_is_string(name)) return wrong(in.path("columns"), "must be a list of names");
    out.columns.emplace_back(json_string_value(name));
  }
  return out;
}

Status parse_source(const json_t* value, BackfillMapping& out) {
  TRY_ASSIGN(const Members in, Members::of(value, "source", {"postgresql", "csv", "jsonl"}));
  const json_t *query = in.get("postgresql"), *csv = in.get("csv"), *lines = in.get("jsonl");
  if ((query != nullptr) + (csv != nullptr) + (lines != nullptr) != 1) {
    return wrong("source", "must have one of postgresql, csv and jsonl");
  }
  if (query != nullptr) {
    TRY_ASSIGN(out.source, parse_query(query));
  } else if (csv != nullptr) {
    TRY_ASSIGN(out.source, parse_csv(csv));
  } else {
    TRY_ASSIGN(const Members of_lines, Members::of(lines, "source.jsonl", {"path"}));
    BackfillMapping::JsonLines made;
    TRY_ASSIGN(made.path, absolute_path(of_lines, "path", "the exported file"));
    out.source = std::move(made);
  }
  return Ok{};
}

Status parse_fields(const json_t* value, BackfillMapping& out) {
  TRY_ASSIGN(const Members in, Members::of(value, "fields",
                                           {"path", "message_id", "filename", "dialog_id", "uploader_id", "account_id",
                                            "created_at", "size"}));
  const bool has_list = out.files.has_value();
  BackfillMapping::Fields& to = out.fields;
  TRY_ASSIGN(const std::string path, in.needed("path", "where the file is, such as \"file.url\""));
  TRY_ASSIGN(to.path, parse_field("fields.path", path, has_list));
  TRY_ASSIGN(const std::string message, in.needed("message_id", "whose file it is, such as \"row.id\""));
  TRY_ASSIGN(to.message_id, parse_field("fields.message_id", message, has_list));
  for (const auto& [member, field] :
       {std::pair("filename", &to.filename), std::pair("dialog_id", &to.dialog_id),
        std::pair("uploader_id", &to.uploader_id), std::pair("account_id", &to.account_id),
        std::pair("created_at", &to.created_at), std::pair("size", &to.size)}) {
    TRY_ASSIGN(const auto text, in.text(member));
    if (!text) continue;
    TRY_ASSIGN(*field, parse_field(in.path(member), *text, has_list));
  }
  return Ok{};
}

Status parse_bytes(const json_t* value, BackfillMapping& out) {
  TRY_ASSIGN(const Members in, Members::of(value, "bytes", {"root", "s3_prefix", "strip", "percent_encoded"}));
  TRY_ASSIGN(const auto prefix, in.text("s3_prefix"));
  TRY_ASSIGN(const auto root, in.text("root"));
  if (prefix.has_value() == root.has_value()) {
    return wrong("bytes", "must have either root (a folder of this host) or s3_prefix (of keys in S3_BUCKET)");
  }
  if (root) {
    BackfillMapping::Folder folder;
    TRY_ASSIGN(folder.root, absolute_path(in, "root", "the folder that the paths are below"));
    out.bytes = std::move(folder);
  } else {
    // what is behind it is checked with each path
    if (!prefix->empty() && !ObjectKey::parse(*prefix + "x")) {
      return wrong("bytes.s3_prefix", "cannot begin a key: no leading /, no . or .. between slashes");
    }
    out.bytes = BackfillMapping::Objects{*prefix};
  }
  TRY_ASSIGN(const auto strip, in.text("strip"));
  out.strip = strip.value_or("");
  TRY_ASSIGN(out.percent_encoded, in.flag("percent_encoded"));
  return Ok{};
}

bool is_source_name(std::string_view name) {
  return !name.empty() && name.size() <= 63 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.';
  });
}

}  // namespace

Result<BackfillMapping> parse_mapping(std::string_view text) {
  const auto document = parse_json(text);
  if (!document) {
    const std::string& why = document.error().detail;
    return Error{Errc::kInvalid, "mapping: not valid JSON" + why.substr(std::min(why.find(':'), why.size()))};
  }
  TRY_ASSIGN(const Members in,
             Members::of(document->get(), "", {"comment", "name", "source", "files", "fields", "bytes", "mode"}));
  BackfillMapping out;
  TRY_ASSIGN(out.name, in.needed("name", "a word for these files, which must stay the same from run to run"));
  if (!is_source_name(out.name)) return wrong("name", "must be 1 to 63 letters, digits, - _ and .");
  if (in.get("source") == nullptr) return wrong("source", "is missing: postgresql, csv or jsonl");
  TRY(parse_source(in.get("source"), out));
  TRY_ASSIGN(const auto files, in.text("files"));
  if (files) {
    TRY_ASSIGN(out.files, parse_field("files", *files, false));
  }
  if (in.get("fields") == nullptr) return wrong("fields", "is missing: at least path and message_id");
  TRY(parse_fields(in.get("fields"), out));
  if (in.get("bytes") == nullptr) return wrong("bytes", "is missing: root or s3_prefix");
  TRY(parse_bytes(in.get("bytes"), out));
  TRY_ASSIGN(const std::string mode, in.needed("mode", "\"copy\", or \"adopt\" for bytes that stay where they are"));
  if (mode != "copy" && mode != "adopt") return wrong("mode", "must be \"copy\" or \"adopt\"");
  out.adopts = mode == "adopt";
  return out;
}

}  // namespace cloakroom

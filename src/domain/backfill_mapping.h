// backfill_mapping.h — where an old application keeps its files and what is known about them, as a small JSON file
// says.
//
// Shape    docs/backfill.md. A field is named "row.COLUMN" (of the row), "file" or "file.MEMBER" (of one element of the
//          row's list of files), with more steps for what lies deeper: "row.data.files".
// Errors   kInvalid; `detail` names the member that is wrong and says what to write. Unknown members are refused: a
//          slip must not become a default.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace cloakroom {

struct LegacyField {
  bool of_file = false;            // else of the row
  std::vector<std::string> steps;  // empty: the element itself
};

enum class CsvDialect { kRfc4180, kMysql };  // base/csv.h

struct BackfillMapping {
  struct Query {
    std::string database_env;  // variable that holds the connection string; empty: DATABASE_URL
    std::string schema;        // in which the query's tables are looked for
    std::string sql;           // a SELECT
    std::string key;           // a column of it: unique, and the order of the walk
  };
  struct Csv {
    std::string path;
    CsvDialect dialect = CsvDialect::kRfc4180;
    char delimiter = ',';
    std::vector<std::string> columns;  // empty: the first line names them
    std::optional<std::string> null;   // what stands for no value, unquoted
  };
  struct JsonLines {
    std::string path;
  };
  struct Folder {
    std::string root;
  };
  struct Objects {
    std::string prefix;  // of keys in S3_BUCKET
  };
  struct Fields {
    LegacyField path, message_id;
    std::optional<LegacyField> filename, dialog_id, uploader_id, account_id, created_at, size;
  };

  std::string name;  // of the source, for ever: what was taken over is remembered under it
  std::variant<Query, Csv, JsonLines> source;
  std::optional<LegacyField> files;  // the list; nothing: each row is one file
  Fields fields;
  std::variant<Folder, Objects> bytes;
  std::string strip;             // taken from the beginning of a path that has it
  bool percent_encoded = false;  // paths are those of addresses: decoded, without ?query and #fragment
  bool adopts = false;           // the bytes stay where they are and become ours; else they are copied
};

Result<BackfillMapping> parse_mapping(std::string_view text);

}  // namespace cloakroom

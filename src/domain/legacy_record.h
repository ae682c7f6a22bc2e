// legacy_record.h — from one row of the old application's table to the files that it names. Pure.
//
// Rule     nothing that is wrong with one file keeps the others back: it is a trouble, with the reason in one word.
//          bad_json    the list cannot be read      bad_row   no usable message id, or another id, time or size
//          bad_path    the path is missing, leads out, or is none
//          A row without a list, or with an empty one, has no files: that is no trouble.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/time.h"
#include "domain/backfill_mapping.h"
#include "domain/object_key.h"

namespace cloakroom {

struct LegacyFile {
  std::string message_id;
  ObjectKey path;
  std::string filename;  // as it came; else the path's last segment
  std::optional<std::string> dialog_id = {}, uploader_id = {}, account_id = {};
  std::optional<TimePoint> created_at = {};
  std::optional<std::uint64_t> size_bytes = {};  // as the row says
};

struct LegacyTrouble {
  std::string message_id, path;  // as far as they are known
  std::string_view reason;       // a literal
  std::string detail;
};

struct LegacyRecord {
  std::vector<LegacyFile> files;
  std::vector<LegacyTrouble> troubles;
};

LegacyRecord read_record(const BackfillMapping& mapping, const json_t* row);

}  // namespace cloakroom

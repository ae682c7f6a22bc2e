// migrate.h — brings the schema to the version that this program knows, one numbered file after the other.
//
// Shape    {folder}/NNN_name.sql, NNN = 001, 002 ... without a gap. Each file runs in a transaction of its own with
//          its row in schema_version: it is applied as a whole or not at all.
// Locks    one migration at a time (a session advisory lock; the second waits and then finds nothing to do). Within a
//          file lock_timeout is 5 s: better a migration that is to be repeated than readers queueing behind it.
// Errors   kConflict the database is newer than the files; kInvalid the folder holds no proper list of files;
//          kDatabase, kInternal as in pg.h: files before the failing one stay applied.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "db/pg.h"

namespace cloakroom {

struct MigrationReport {
  int from_version = 0;
  int to_version = 0;
  std::vector<std::string> applied;  // file names
};

Result<MigrationReport> migrate(Database& database, const std::string& folder);

// The last of the files: what this program needs.
Result<int> newest_version(const std::string& folder);

// 0: the schema is empty or absent.
Result<int> schema_version(Database& database);

}  // namespace cloakroom

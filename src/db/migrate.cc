// migrate.cc — the numbered files and the table that remembers them.
#include "db/migrate.h"

#include <dirent.h>
#include <fcntl.h>

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include "base/encode.h"
#include "base/file.h"

namespace cloakroom {
namespace {

constexpr std::size_t kMigrationBytes = 1024 * 1024;

struct Migration {
  int version = 0;
  std::string file;
};

// 001_attachments.sql
Result<Migration> parse_name(const std::string& file) {
  if (file.size() < 9 || file[3] != '_') return refuse(Errc::kInvalid, "'" + file + "' is not named NNN_name.sql");
  const auto number = parse_u64(std::string_view(file).substr(0, 3));
  if (!number || *number == 0) return refuse(Errc::kInvalid, "'" + file + "' is not named NNN_name.sql");
  return Migration{static_cast<int>(*number), file};
}

Result<std::vector<Migration>> list_migrations(const std::string& folder) {
  struct CloseFolder {
    void operator()(DIR* one) const noexcept { ::closedir(one); }
  };
  const std::unique_ptr<DIR, CloseFolder> stream(::opendir(folder.c_str()));
  if (!stream) return errno_error("open", folder, errno);
  std::vector<Migration> found;
  while (const auto* entry = ::readdir(stream.get())) {
    const std::string name = static_cast<const char*>(entry->d_name);
    if (name.size() < 4 || name.compare(name.size() - 4, 4, ".sql") != 0) continue;
    TRY_ASSIGN(auto one, parse_name(name));
    found.push_back(std::move(one));
  }
  std::sort(found.begin(), found.end(), [](const Migration& a, const Migration& b) { return a.file < b.file; });
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (found[i].version != static_cast<int>(i) + 1) {
      return refuse(Errc::kInvalid,
                    "'" + folder + "' has no file number " + std::to_string(i + 1) + ", or has it twice");
    }
  }
  if (found.empty()) return refuse(Errc::kInvalid, "'" + folder + "' holds no migrations");
  return found;
}

Result<std::string> read_migration(const std::string& path) {
  TRY_ASSIGN(const auto file, open_file(path, O_RDONLY | O_CLOEXEC));
  std::string text(kMigrationBytes, '\0');
  TRY_ASSIGN(const auto size, read_at(file.get(), std::as_writable_bytes(std::span(text)), 0));
  if (size == text.size()) return refuse(Errc::kInvalid, "'" + path + "' is too long for a migration");
  text.resize(size);
  return text;
}

// CREATE SCHEMA IF NOT EXISTS wants the right to create even when there is nothing to do: so look first.
Status make_schema(Database& database) {
  Params params;
  params.text(database.schema());
  TRY_ASSIGN(const auto found, database.run_once("SELECT 1 FROM pg_namespace WHERE nspname = $1::text", params));
  if (found.rows() == 0) TRY(database.run_script("CREATE SCHEMA " + database.schema_identifier()));
  return database.run_script(
      "CREATE TABLE IF NOT EXISTS schema_version ("
      "version integer PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())");
}

Status apply_in_transaction(Database& database, const Migration& migration, const std::string& sql) {
  TRY(database.run_script("SET LOCAL lock_timeout = '5s'"));
  TRY(database.run_script(sql));
  Params params;
  params.int4(migration.version).text(migration.file);
  TRY(database.run_once("INSERT INTO schema_version (version, name) VALUES ($1::int4, $2::text)", params));
  return database.commit();
}

Status apply(Database& database, const Migration& migration, const std::string& folder) {
  TRY_ASSIGN(const auto sql, read_migration(folder + "/" + migration.file));
  TRY(database.begin());
  auto outcome = apply_in_transaction(database, migration, sql);
  if (!outcome) {
    database.rollback();
    outcome.error().detail = "cannot apply '" + migration.file + "': " + outcome.error().detail;
  }
  return outcome;
}

Result<MigrationReport> migrate_locked(Database& database, const std::vector<Migration>& known,
                                       const std::string& folder) {
  TRY(make_schema(database));
  TRY_ASSIGN(const int version, schema_version(database));
  const int newest = known.back().version;
  if (version > newest) {
    return refuse(Errc::kConflict, "the database is at version " + std::to_string(version) +
                                       ", this program knows 1.." + std::to_string(newest) +
                                       ": install the newer cloakroom");
  }
  MigrationReport report{version, newest, {}};
  for (const auto& migration : known) {
    if (migration.version <= version) continue;
    TRY(apply(database, migration, folder));
    report.applied.push_back(migration.file);
  }
  return report;
}

}  // namespace

Result<int> newest_version(const std::string& folder) {
  TRY_ASSIGN(const auto known, list_migrations(folder));
  return known.back().version;
}

Result<int> schema_version(Database& database) {
  Params schema;
  schema.text(database.schema());
  TRY_ASSIGN(const auto table,
             database.run_once("SELECT 1 FROM pg_tables WHERE schemaname = $1::text AND tablename = 'schema_version'",
                               schema));
  if (table.rows() == 0) return 0;
  TRY_ASSIGN(const auto set, database.run_once("SELECT coalesce(max(version), 0) FROM schema_version", Params{}));
  return static_cast<int>(set.integer(0, 0));
}

Result<MigrationReport> migrate(Database& database, const std::string& folder) {
  TRY_ASSIGN(const auto known, list_migrations(folder));
  // A migration may take longer than a request may, and so may the wait for another one.
  TRY(database.run_script("SET statement_timeout = 0"));
  Params lock;
  lock.text(database.schema());
  TRY(database.run_once("SELECT pg_advisory_lock(hashtextextended('cloakroom/migrate/' || $1::text, 0))", lock));
  auto report = migrate_locked(database, known, folder);
  // Both go with the connection anyway; a failure here takes nothing back.
  auto unlocked =
      database.run_once("SELECT pg_advisory_unlock(hashtextextended('cloakroom/migrate/' || $1::text, 0))", lock);
  auto restored = database.run_script("SET statement_timeout = '15s'");
  if (report && !unlocked) return unlocked.error();
  if (report && !restored) return restored.error();
  return report;
}

}  // namespace cloakroom

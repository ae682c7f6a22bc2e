// check_host.cc — asks PostgreSQL for its schema, and the file system for its room and for a link.
#include "cmd/check_host.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/file.h"
#include "base/id.h"
#include "cmd/wiring.h"
#include "db/migrate.h"
#include "db/moves.h"

namespace cloakroom {
namespace {

constexpr std::uint64_t kComfortableUploads = 10;  // room for so many at once, each of the largest size
constexpr std::uint64_t kComfortablePercent = 5;   // of the disk; file systems slow down when they are nearly full

std::string quoted(const std::string& text) {
  return "'" + text + "'";
}

struct Folder {
  std::string setting, path;
};

// Whether a file can be written and made durable there.
Status write_and_remove(const std::string& folder) {
  const std::string path = folder + "/" + random_hex(16);  // the sweep of left-overs knows this form
  TRY_ASSIGN(const UniqueFd fd, open_file(path, O_WRONLY | O_CREAT | O_EXCL, 0600));
  Status done = write_all(fd.get(), std::as_bytes(std::span("cloakroom check")));
  if (done) done = sync_file(fd.get(), path);
  ::unlink(path.c_str());
  return done;
}

Finding writable(const std::string& name, const Folder& folder, const std::string& inner) {
  struct stat info {};
  if (::stat(folder.path.c_str(), &info) != 0) {
    if (errno == ENOENT) {
      return {name, Verdict::kWarning, folder.setting + " " + quoted(folder.path) + " does not exist yet",
              "a worker makes it at its start, if it may write to the folder above; else make it yourself"};
    }
    return {name, Verdict::kFailure, errno_error("find", folder.path, errno).detail, "correct " + folder.setting};
  }
  if (!S_ISDIR(info.st_mode)) {
    return {name, Verdict::kFailure, quoted(folder.path) + " is no folder", "correct " + folder.setting};
  }
  const std::string into = ::access(inner.c_str(), F_OK) == 0 ? inner : folder.path;
  if (const Status written = write_and_remove(into); !written) {
    return {name, Verdict::kFailure, written.error().detail,
            written.error().code == Errc::kDiskFull ? "make room on that disk"
                                                    : "let the user of the workers (and of this check) write there"};
  }
  return {name, Verdict::kOk, quoted(into) + " can be written", ""};
}

Finding room(const std::string& name, const Folder& folder, std::uint64_t largest_bytes) {
  struct statvfs disk {};
  if (::statvfs(folder.path.c_str(), &disk) != 0) {
    return {name, Verdict::kWarning, errno_error("find the room of", folder.path, errno).detail,
            "correct " + folder.setting + " or make the folder"};
  }
  Finding found = judge_room({.free_bytes = static_cast<std::uint64_t>(disk.f_bavail) * disk.f_frsize,
                              .all_bytes = static_cast<std::uint64_t>(disk.f_blocks) * disk.f_frsize,
                              .free_files = disk.f_favail,
                              .all_files = disk.f_files},
                             largest_bytes);
  found.check = name;
  found.text = quoted(folder.path) + ": " + found.text;
  return found;
}

// Files may be in more stores than the one for new files: each must be in the settings, or nobody gets them.
Findings check_stores(const Config& config, Database& database) {
  Findings found;
  for (const StoreKind kind : kStoreKinds) {
    if (kind == StoreKind::kLocal || s3_config(config, kind) != nullptr) continue;
    const auto any = PgMoves(database).is_used(kind);
    if (!any || !*any) continue;
    const std::string name(to_string(kind));
    found.push_back({"database.stores", Verdict::kFailure,
                     "there are files in the store " + quoted(name) + ", which is not in the settings",
                     "put its settings back; cloakroom move takes files out of a store"});
  }
  return found;
}

bool crosses_file_systems(int number) {
  return number == EXDEV || number == EPERM || number == EMLINK;
}

// A bind mount has the device of what it shows, and still neither link nor rename leads out of it. So it is done, with
// a name that a sweep knows. 0, or what errno said.
int link_errno(const std::string& from_folder, const std::string& to_folder) {
  const std::string name = "/" + random_hex(16);
  const std::string from = from_folder + name;
  const std::string to = to_folder + name;
  const auto fd = open_file(from, O_WRONLY | O_CREAT | O_EXCL, 0600);
  if (!fd) return 0;  // writable() has said so
  const int number = ::link(from.c_str(), to.c_str()) == 0 ? 0 : errno;
  ::unlink(to.c_str());
  ::unlink(from.c_str());
  return number;
}

Finding one_file_system(const Folder& bodies, const Folder& files) {
  const std::string name = "local.one_file_system";
  struct stat a {};
  struct stat b {};
  if (::stat(bodies.path.c_str(), &a) != 0 || ::stat(files.path.c_str(), &b) != 0) {
    return {name, Verdict::kOk, "one of the folders does not exist yet", ""};
  }
  const std::string staging = files.path + "/.tmp";
  const std::string into = ::access(staging.c_str(), F_OK) == 0 ? staging : files.path;
  if (into == staging && crosses_file_systems(link_errno(staging, files.path))) {
    return {name, Verdict::kFailure,
            quoted(staging) + " lies on another file system than " + quoted(files.path) + ": no upload can be kept",
            "mount the whole of UPLOAD_STORAGE_PATH from one file system, its .tmp with it"};
  }
  if (a.st_dev == b.st_dev && !crosses_file_systems(link_errno(bodies.path, into))) {
    return {name, Verdict::kOk, "bodies are spooled on the file system of the store", ""};
  }
  return {name, Verdict::kWarning,
          bodies.setting + " and " + files.setting + " lie on two file systems: each upload is copied once more",
          "set BODY_TEMP_PATH to a folder on the file system of UPLOAD_STORAGE_PATH"};
}

}  // namespace

Finding judge_room(const DiskRoom& disk, std::uint64_t largest_bytes) {
  const auto percent = [](std::uint64_t part, std::uint64_t whole) {  // of a disk: no overflow below 184 PB
    return whole == 0 ? 100 : part * 100 / whole;
  };
  const std::uint64_t left = percent(disk.free_bytes, disk.all_bytes);
  const std::string text = std::to_string(disk.free_bytes >> 20) + " MiB (" + std::to_string(left) + "%) are free";
  const std::string remedy = "make room on that disk";
  if (disk.free_bytes < largest_bytes) return failure(text + ", less than one upload of MAX_REQUEST_SIZE", remedy);
  if (disk.all_files > 0 && disk.free_files == 0) return failure(text + ", but no inodes", remedy);
  if (disk.free_bytes / kComfortableUploads < largest_bytes) {
    return warning(text + ", less than ten uploads of MAX_REQUEST_SIZE", remedy);
  }
  if (left < kComfortablePercent) return warning(text + ": the disk is nearly full", remedy);
  if (percent(disk.free_files, disk.all_files) < kComfortablePercent) {
    return warning(text + ", but hardly any inodes", remedy);
  }
  return good(text);
}

Findings check_database(const Config& config, const std::string& migrations_folder) {
  Database database(database_options(config, "cloakroom-check"));
  const auto version = schema_version(database);
  if (!version) {
    return {{"database.reach", Verdict::kFailure, version.error().detail,
             "see whether PostgreSQL runs, and correct DATABASE_URL (host, database, user, password)"}};
  }
  Findings found{{"database.reach", Verdict::kOk, "PostgreSQL answers", ""}};
  const auto newest = newest_version(migrations_folder);
  if (!newest) {
    found.push_back(
        {"database.schema", Verdict::kFailure, newest.error().detail, "install cloakroom again, or use --sql"});
  } else if (*version < *newest) {
    found.push_back(
        {"database.schema", Verdict::kFailure,
         "the schema is at version " + std::to_string(*version) + ", this program needs " + std::to_string(*newest),
         "run: cloakroom migrate"});
  } else if (*version > *newest) {
    found.push_back({"database.schema", Verdict::kFailure,
                     "the schema is at version " + std::to_string(*version) + ", newer than this program's " +
                         std::to_string(*newest),
                     "install the newer cloakroom"});
  } else {
    found.push_back({"database.schema", Verdict::kOk, "the schema is at version " + std::to_string(*version), ""});
    for (Finding& one : check_stores(config, database)) found.push_back(std::move(one));
  }
  return found;
}

Findings check_folders(const Config& config) {
  const Folder bodies{"BODY_TEMP_PATH", config.body_temp_path};
  const Folder files{"UPLOAD_STORAGE_PATH", config.storage_path};
  Findings found;
  if (!config.is_in_s3() || config.s3_fallback == "local") {
    found.push_back(writable("local.write", files, files.path + "/.tmp"));
    found.push_back(room("local.room", files, config.max_request_bytes));
    found.push_back(one_file_system(bodies, files));
  } else {
    found.push_back(room("local.body_room", bodies, config.max_request_bytes));
  }
  return found;
}

}  // namespace cloakroom

// local_listing.cc — a walk that never holds more than some names of a folder.
#include "storage/local_listing.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <memory>

#include "base/file.h"
#include "domain/fallback.h"

namespace cloakroom {
namespace {

struct CloseDir {
  void operator()(DIR* d) const noexcept { ::closedir(d); }
};

bool is_folder(DIR* parent, const dirent& entry) {
  if (entry.d_type != DT_UNKNOWN) return entry.d_type == DT_DIR;
  struct stat info {};
  return ::fstatat(::dirfd(parent), entry.d_name, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(info.st_mode);
}

TimePoint time_of(const timespec& when) {
  return TimePoint(std::chrono::seconds(when.tv_sec) + std::chrono::microseconds(when.tv_nsec / 1000));
}

}  // namespace

LocalListing::LocalListing(LocalListingOptions options) : options_(std::move(options)) {
  levels_.push_back({"", {}});
}

// What lies in the root and is no object: our own folders with a dot, and what a file system puts there itself.
bool LocalListing::is_wanted(const std::string& prefix, const std::string& name) const {
  if (prefix.empty() && name == "lost+found/") return false;
  if (prefix.empty() && name.front() == '.') return name == kKeptRoot && !options_.kept_prefix.empty();
  return prefix != kKeptRoot || prefix + name == options_.kept_prefix;
}

// The smallest names after `last`. A heap with the largest on top: it goes when a smaller one comes.
Status LocalListing::read(Level& level) {
  const std::string path = options_.root + "/" + level.prefix;
  const std::unique_ptr<DIR, CloseDir> folder(::opendir(path.c_str()));
  level.has_more = false;
  if (!folder) {
    const bool is_gone = (errno == ENOENT || errno == ENOTDIR) && !level.prefix.empty();
    return is_gone ? Status(Ok{}) : errno_error("open", path, errno);
  }
  std::vector<std::string>& names = level.names;
  while (true) {
    errno = 0;
    const dirent* entry = ::readdir(folder.get());
    if (entry == nullptr && errno != 0) return errno_error("read", path, errno);
    if (entry == nullptr) break;
    std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    if (is_folder(folder.get(), *entry)) name += '/';
    if (name <= level.last || !is_wanted(level.prefix, name)) continue;
    if (names.size() == options_.names_at_once) {
      level.has_more = true;
      if (name > names.front()) continue;
      std::pop_heap(names.begin(), names.end());
      names.pop_back();
    }
    names.push_back(std::move(name));
    std::push_heap(names.begin(), names.end());
  }
  std::sort(names.begin(), names.end(), std::greater<>());
  if (!names.empty()) level.last = names.front();
  return Ok{};
}

Result<std::optional<ListedObject>> LocalListing::next() {
  while (!levels_.empty()) {
    Level& level = levels_.back();
    if (level.names.empty()) {
      if (level.has_more) {
        TRY(read(level));
      } else {
        levels_.pop_back();
      }
      continue;
    }
    std::string key = level.prefix + level.names.back();
    level.names.pop_back();
    if (key.back() == '/') {
      levels_.push_back({std::move(key), {}});  // `level` is no more
      continue;
    }
    struct stat info {};
    const std::string path = options_.root + "/" + key;
    if (::stat(path.c_str(), &info) != 0) {
      if (errno == ENOENT || errno == ENOTDIR) continue;
      return errno_error("find", path, errno);
    }
    if (!S_ISREG(info.st_mode)) continue;
    // ctime, not mtime: a linked body file keeps the time at which the client sent it
    return std::optional(ListedObject{std::move(key), static_cast<std::uint64_t>(info.st_size), time_of(info.st_ctim)});
  }
  return std::optional<ListedObject>();
}

}  // namespace cloakroom

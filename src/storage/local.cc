// local.cc — objects as files: every step that makes a file durable, in its order.
#include "storage/local.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <set>

#include "base/limits.h"

namespace cloakroom {
namespace {

constexpr unsigned kFolderMode = 0700;
constexpr unsigned kFileMode = 0600;
constexpr std::uint64_t kWriteBackBytes = 8ULL << 20;  // ask the kernel to begin writing after this much

// Removes a temporary name unless it was renamed.
class TemporaryName {
 public:
  explicit TemporaryName(std::string path) : path_(std::move(path)) {}
  ~TemporaryName() {
    if (!renamed_) ::unlink(path_.c_str());
  }
  TemporaryName(const TemporaryName&) = delete;
  TemporaryName& operator=(const TemporaryName&) = delete;
  const std::string& path() const { return path_; }
  // Not for a linked body: rename(2) of two names of one file succeeds and leaves both, as when it is put a second
  // time.
  void renamed() { renamed_ = true; }

 private:
  std::string path_;
  bool renamed_ = false;
};

// A hint only: file systems that cannot do it say so, and the fsync at the end does the work.
void start_write_back(int fd, std::uint64_t offset, std::uint64_t size) {
  [[maybe_unused]] const int ignored =
      ::sync_file_range(fd, static_cast<off_t>(offset), static_cast<off_t>(size), SYNC_FILE_RANGE_WRITE);
}

// Copies the range and hashes it on the way; the kernel writes the first bytes while the next are read.
Result<Sha256Digest> copy_range(const FileRange& bytes, int to) {
  std::uint64_t copied = 0, flushed = 0;
  return hash_range(bytes, [&](std::span<const std::byte> block) -> Status {
    TRY(write_all(to, block));
    copied += block.size();
    if (copied - flushed >= kWriteBackBytes) {
      start_write_back(to, flushed, copied - flushed);
      flushed = copied;
    }
    return Ok{};
  });
}

// Ours (32 hex digits) and those nginx gives bodies (10 digits).
bool is_temporary_name(std::string_view name) {
  const bool digits = std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; });
  const bool hex =
      std::all_of(name.begin(), name.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
  return (name.size() == 10 && digits) || (name.size() == 32 && hex);
}

}  // namespace

Status LocalStore::prepare() {
  TRY(make_folders(root_, kFolderMode));
  TRY(make_folders(temp_, kFolderMode));
  std::set<std::string> grown;  // folders that got an entry: each is made durable once, not 256 times
  for (const std::string& name : folders_) {
    const std::string path = root_ + "/" + name;
    if (::mkdir(path.c_str(), kFolderMode) == 0) {
      grown.insert(path.substr(0, path.rfind('/')));
    } else if (errno != EEXIST) {
      return errno_error("make folder", path, errno);
    }
  }
  for (const std::string& path : grown) TRY(sync_folder(path));
  return Ok{};
}

Status LocalStore::ready() {
  if (::access(temp_.c_str(), R_OK | W_OK | X_OK) != 0) return errno_error("write to", temp_, errno);
  struct statvfs room {};
  if (::statvfs(root_.c_str(), &room) != 0) return errno_error("find the room of", root_, errno);
  if (room.f_bavail == 0) return Error{Errc::kDiskFull, "no room left on the store's disk"};
  return Ok{};
}

Result<Sha256Digest> LocalStore::put(const ObjectKey& key, const FileRange& bytes, const ObjectMeta&) {
  auto digest = take(key, bytes);
  // a folder or a body that vanished is a fault of this host: "not found" would speak of the object
  if (!digest && digest.error().code == Errc::kNotFound) digest.error().code = Errc::kInternal;
  return digest;
}

Result<Sha256Digest> LocalStore::take(const ObjectKey& key, const FileRange& bytes) {
  TemporaryName temporary(temp_ + "/" + random_hex(16));
  Sha256Digest digest{};
  bool linked = false;
  if (!bytes.path.empty() && ::link(std::string(bytes.path).c_str(), temporary.path().c_str()) == 0) {
    linked = true;
    start_write_back(bytes.fd, 0, bytes.size);
    TRY_ASSIGN(digest, hash_range(bytes));
    TRY(sync_file(bytes.fd, temporary.path()));
  } else {
    if (!bytes.path.empty() && errno != EXDEV && errno != EPERM && errno != EMLINK) {
      return errno_error("link the body into", temp_, errno);
    }
    TRY_ASSIGN(const UniqueFd fd, open_file(temporary.path(), O_WRONLY | O_CREAT | O_EXCL, kFileMode));
    TRY_ASSIGN(digest, copy_range(bytes, fd.get()));
    TRY(sync_file(fd.get(), temporary.path()));
  }
  TRY(publish(temporary.path(), key));
  if (!linked) temporary.renamed();
  return digest;
}

Status LocalStore::publish(const std::string& temporary, const ObjectKey& key) {
  const std::string path = path_of(key);
  const std::string folder = path.substr(0, path.rfind('/'));
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
    if (errno != ENOENT) return errno_error("rename a temporary file into", folder, errno);
    TRY(make_folders(folder, kFolderMode));  // the first file of this folder
    if (::rename(temporary.c_str(), path.c_str()) != 0) {
      return errno_error("rename a temporary file into", folder, errno);
    }
  }
  return sync_folder(folder);
}

Result<ObjectInfo> LocalStore::head(const ObjectKey& key) {
  struct stat info {};
  if (::stat(path_of(key).c_str(), &info) != 0) return errno_error("find", key.str(), errno);
  if (!S_ISREG(info.st_mode)) return Error{Errc::kNotFound, "the key names a folder"};
  return ObjectInfo{static_cast<std::uint64_t>(info.st_size), {}};
}

Status LocalStore::get(const ObjectKey& key, const ByteRange& range, ByteSink& sink) {
  TRY_ASSIGN(const UniqueFd fd, open_file(path_of(key), O_RDONLY));
  const std::span<std::byte> buffer = copy_buffer();
  for (std::uint64_t done = 0; done < range.length;) {
    const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), range.length - done));
    TRY_ASSIGN(const std::size_t got, read_at(fd.get(), buffer.first(want), range.offset + done));
    if (got == 0) return Error{Errc::kInternal, "stored file is shorter than its row says"};
    TRY(sink.write(buffer.first(got)));
    done += got;
  }
  return Ok{};
}

Result<UniqueFd> LocalStore::open(const ObjectKey& key) {
  return open_file(path_of(key), O_RDONLY);
}

Status LocalStore::remove(const ObjectKey& key) {
  const std::string path = path_of(key);
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return errno_error("remove", key.str(), errno);
  // With naming "folder" each object has one of its own. rmdir leaves a folder alone that is in use.
  const std::string folder = path.substr(0, path.rfind('/'));
  if (folder.size() > root_.size() + 36 && parse_uuid(folder.substr(folder.size() - 36))) ::rmdir(folder.c_str());
  return Ok{};
}

Status LocalStore::copy(const ObjectKey& from, const ObjectKey& to, const ObjectMeta&) {
  TRY_ASSIGN(const ObjectInfo info, head(from));
  const std::string path = path_of(from);
  TRY_ASSIGN(const UniqueFd fd, open_file(path, O_RDONLY));
  TRY(take(to, {fd.get(), 0, info.size_bytes, path}));
  return Ok{};
}

Result<std::size_t> sweep_old_files(const std::string& path, std::chrono::seconds age, bool is_rehearsal,
                                    const std::function<void(std::string_view name)>& seen) {
  struct CloseDir {
    void operator()(DIR* d) const noexcept { ::closedir(d); }
  };
  const std::unique_ptr<DIR, CloseDir> folder(::opendir(path.c_str()));
  if (!folder) return errno_error("open", path, errno);
  const std::time_t oldest = std::time(nullptr) - age.count();
  std::size_t removed = 0;
  while (const dirent* entry = ::readdir(folder.get())) {
    struct stat info {};
    if (::fstatat(::dirfd(folder.get()), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0) continue;
    // ctime, not mtime: a linked body file keeps the time at which the client sent it
    if (!S_ISREG(info.st_mode) || info.st_ctime > oldest || !is_temporary_name(entry->d_name)) continue;
    if (!is_rehearsal && ::unlinkat(::dirfd(folder.get()), entry->d_name, 0) != 0) continue;
    ++removed;
    if (seen) seen(entry->d_name);
  }
  return removed;
}

}  // namespace cloakroom

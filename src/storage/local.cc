// local.cc — objects as files: every step that makes a file durable, in its order.
#include "storage/local.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
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

// When it was read last is left alone.
std::array<timespec, 2> times_of(TimePoint written_at) {
  using std::chrono::seconds;
  const auto since = written_at.time_since_epoch();
  const auto whole = std::chrono::floor<seconds>(since);
  const auto rest = std::chrono::duration_cast<std::chrono::nanoseconds>(since - whole);
  return {timespec{0, UTIME_OMIT}, timespec{whole.count(), rest.count()}};
}

// Best effort: a file without its time is only looked at more closely. Before the fsync, which keeps it.
void put_time(int fd, TimePoint written_at) {
  [[maybe_unused]] const int ignored = ::futimens(fd, times_of(written_at).data());
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

class LocalStore::Staged final : public StagedFile {
 public:
  Staged(LocalStore& store, ObjectKey key)
      : store_(store), key_(std::move(key)), name_(store.temp_ + "/" + random_hex(16)) {}

  const std::string& path() const { return name_.path(); }
  void written(const Sha256Digest& digest, bool is_linked) {
    digest_ = digest;
    is_linked_ = is_linked;
  }
  const Sha256Digest& digest() const override { return digest_; }
  Status publish() override {
    TRY(store_.publish(name_.path(), key_));
    if (!is_linked_) name_.renamed();
    return Ok{};
  }

 private:
  LocalStore& store_;
  ObjectKey key_;
  TemporaryName name_;
  Sha256Digest digest_{};
  bool is_linked_ = false;
};

Result<Sha256Digest> LocalStore::put(const ObjectKey& key, const FileRange& bytes, const ObjectMeta& meta) {
  auto digest = take_and_publish(key, bytes, meta.created_at);
  // a folder or a body that vanished is a fault of this host: "not found" would speak of the object
  if (!digest && digest.error().code == Errc::kNotFound) digest.error().code = Errc::kInternal;
  return digest;
}

Result<Sha256Digest> LocalStore::take_and_publish(const ObjectKey& key, const FileRange& bytes,
                                                  const std::optional<TimePoint>& written_at) {
  TRY_ASSIGN(const auto staged, take(key, bytes, written_at));
  TRY(staged->publish());
  return staged->digest();
}

Result<std::unique_ptr<LocalStore::Staged>> LocalStore::take(const ObjectKey& key, const FileRange& bytes,
                                                             const std::optional<TimePoint>& written_at) {
  auto staged = std::make_unique<Staged>(*this, key);
  if (!bytes.path.empty() && ::link(std::string(bytes.path).c_str(), staged->path().c_str()) == 0) {
    start_write_back(bytes.fd, 0, bytes.size);
    TRY_ASSIGN(const Sha256Digest digest, hash_range(bytes));
    if (written_at) put_time(bytes.fd, *written_at);
    TRY(sync_file(bytes.fd, staged->path()));
    staged->written(digest, true);
  } else {
    if (!bytes.path.empty() && errno != EXDEV && errno != EPERM && errno != EMLINK) {
      return errno_error("link the body into", temp_, errno);
    }
    TRY_ASSIGN(const UniqueFd fd, open_file(staged->path(), O_WRONLY | O_CREAT | O_EXCL, kFileMode));
    TRY_ASSIGN(const Sha256Digest digest, copy_range(bytes, fd.get()));
    if (written_at) put_time(fd.get(), *written_at);
    TRY(sync_file(fd.get(), staged->path()));
    staged->written(digest, false);
  }
  return staged;
}

Result<std::unique_ptr<StagedFile>> LocalStore::stage(const ObjectKey& key, const FileRange& bytes,
                                                      TimePoint written_at) {
  auto staged = take(key, bytes, written_at);
  if (!staged && staged.error().code == Errc::kNotFound) staged.error().code = Errc::kInternal;  // as in put()
  if (!staged) return std::move(staged).error();
  return std::unique_ptr<StagedFile>(*std::move(staged));
}

Result<FileState> LocalStore::look(const ObjectKey& key) {
  struct stat info {};
  if (::stat(path_of(key).c_str(), &info) != 0) return errno_error("find", key.str(), errno);
  if (!S_ISREG(info.st_mode)) return Error{Errc::kNotFound, "the key names a folder"};
  return FileState{static_cast<std::uint64_t>(info.st_size),
                   std::chrono::seconds(info.st_mtim.tv_sec) + std::chrono::nanoseconds(info.st_mtim.tv_nsec)};
}

Status LocalStore::set_time(const ObjectKey& key, TimePoint written_at) {
  const std::array<timespec, 2> times = times_of(written_at);
  if (::utimensat(AT_FDCWD, path_of(key).c_str(), times.data(), 0) == 0) return Ok{};
  return errno_error("set the time of", key.str(), errno);
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
  TRY(take_and_publish(to, {fd.get(), 0, info.size_bytes, path}, {}));
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

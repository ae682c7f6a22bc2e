// legacy_folder.cc — openat2, which the C library of Debian 12 does not have.
#include "storage/legacy_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <memory>

#include "base/file.h"

namespace cloakroom {

Result<LegacyFolder> LegacyFolder::make(const std::string& root) {
  TRY_ASSIGN(UniqueFd fd, open_file(root, O_PATH | O_DIRECTORY));
  return LegacyFolder(std::move(fd));
}

Result<LegacyBytes> LegacyFolder::open(const ObjectKey& path) {
  open_how how{};
  how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;  // a pipe would keep us waiting for its writer
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  UniqueFd file(static_cast<int>(::syscall(SYS_openat2, root_.get(), path.str().c_str(), &how, sizeof how)));
  if (!file) {
    const int why = errno;
    Error error = errno_error("open", path.str(), why);
    if (why == ENOTDIR || why == ENAMETOOLONG) error.code = Errc::kNotFound;
    if (why == EACCES || why == EPERM) error.code = Errc::kDenied;
    if (why == ELOOP || why == EXDEV || why == ENXIO) error.code = Errc::kInvalid;
    return error;
  }
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) return errno_error("look at", path.str(), errno);
  if (!S_ISREG(info.st_mode)) return Error{Errc::kInvalid, "'" + path.str() + "' is no file"};
  const auto& changed = info.st_mtim;
  return LegacyBytes{.file = std::move(file),
                     .object = std::nullopt,
                     .size_bytes = static_cast<std::uint64_t>(info.st_size),
                     .changed_at = TimePoint(std::chrono::seconds(changed.tv_sec)),
                     .version = fmt::format("{} {} {} {}.{:09}", info.st_dev, info.st_ino, info.st_size, changed.tv_sec,
                                            changed.tv_nsec)};
}

Result<LegacyBytes> LegacyObjects::open(const ObjectKey& path) {
  TRY_ASSIGN(ObjectKey key, ObjectKey::parse(prefix_ + path.str()));
  TRY_ASSIGN(const ObjectInfo info, store_.head(key));
  return LegacyBytes{.file = UniqueFd(), .object = std::move(key), .size_bytes = info.size_bytes};
}

Result<std::string> real_path(const std::string& path) {
  const std::unique_ptr<char, CDelete<std::free>> real(::realpath(path.c_str(), nullptr));
  if (!real) return errno_error("find", path, errno);
  return std::string(real.get());
}

bool lies_within(const std::string& path, const std::string& folder) {
  return path == folder || path.starts_with(folder + "/");
}

Result<std::optional<std::string>> prefix_in_store(const std::string& root, const std::string& store_root) {
  TRY_ASSIGN(const std::string inner, real_path(root));
  TRY_ASSIGN(const std::string outer, real_path(store_root));
  if (!lies_within(inner, outer)) return std::optional<std::string>();
  return std::optional(inner == outer ? std::string() : inner.substr(outer.size() + 1) + "/");
}

}  // namespace cloakroom

// file.cc — system calls on files, with errno translated in one place.
#include "base/file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/limits.h"

namespace cloakroom {

Error errno_error(std::string_view operation, std::string_view subject, int number) {
  std::array<char, 128> text{};
  std::string detail = "cannot ";
  detail.append(operation).append(" '").append(subject).append("': ").append(
      strerror_r(number, text.data(), text.size()));
  Errc code = Errc::kInternal;
  if (number == ENOSPC || number == EDQUOT) code = Errc::kDiskFull;
  if (number == EMFILE || number == ENFILE || number == ENOMEM) code = Errc::kUnavailable;
  if (number == ENOENT) code = Errc::kNotFound;
  return Error{code, std::move(detail), {}, number == EINTR || number == EAGAIN};
}

Result<UniqueFd> open_file(const std::string& path, int flags, unsigned mode) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC, mode);
  if (fd < 0) return errno_error("open", path, errno);
  return UniqueFd(fd);
}

Result<UniqueFd> open_nameless(const std::string& folder) {
  auto fd = open_file(folder, O_TMPFILE | O_RDWR, 0600);
  if (!fd && fd.error().code == Errc::kNotFound) {
    TRY(make_folders(folder, 0700));
    fd = open_file(folder, O_TMPFILE | O_RDWR, 0600);
  }
  return fd;
}

Result<std::size_t> read_at(int fd, std::span<std::byte> into, std::uint64_t offset) {
  std::size_t done = 0;
  while (done < into.size()) {
    const ssize_t n = ::pread(fd, into.data() + done, into.size() - done, static_cast<off_t>(offset + done));
    if (n == 0) break;
    if (n < 0) {
      if (errno == EINTR) continue;
      return errno_error("read", "file", errno);
    }
    done += static_cast<std::size_t>(n);
  }
  return done;
}

Status write_all(int fd, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0) {
      if (errno == EINTR) continue;
      return errno_error("write", "file", errno);
    }
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return Ok{};
}

Status write_at(int fd, std::span<const std::byte> bytes, std::uint64_t offset) {
  while (!bytes.empty()) {
    const ssize_t n = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0) {
      if (errno == EINTR) continue;
      return errno_error("write", "file", errno);
    }
    bytes = bytes.subspan(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
  return Ok{};
}

Status sync_file(int fd, std::string_view name) {
  if (::fsync(fd) != 0) return errno_error("fsync", name, errno);
  return Ok{};
}

Status sync_folder(const std::string& path) {
  TRY_ASSIGN(const UniqueFd fd, open_file(path, O_RDONLY | O_DIRECTORY));
  return sync_file(fd.get(), path);
}

Status make_folders(const std::string& path, unsigned mode) {
  for (std::size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    const std::string folder = path.substr(0, end);
    if (::mkdir(folder.c_str(), mode) == 0) {
      const std::size_t slash = folder.rfind('/');
      TRY(sync_folder(slash == std::string::npos ? "." : slash == 0 ? "/" : folder.substr(0, slash)));
    } else if (errno != EEXIST) {
      return errno_error("make folder", folder, errno);
    }
    if (end == std::string::npos) break;
  }
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return errno_error("find", path, errno);
  if (!S_ISDIR(info.st_mode)) return errno_error("use as a folder", path, ENOTDIR);
  return Ok{};
}

std::span<std::byte> copy_buffer() {
  alignas(64) static std::array<std::byte, limits::kCopyBufferBytes> buffer;
  return buffer;
}

Result<Sha256Digest> hash_range(const FileRange& range, const std::function<Status(std::span<const std::byte>)>& also) {
  Sha256 hash;
  for (std::uint64_t done = 0; done < range.size;) {
    const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(copy_buffer().size(), range.size - done));
    const std::span<std::byte> block = copy_buffer().first(want);
    TRY_ASSIGN(const std::size_t got, read_at(range.fd, block, range.offset + done));
    if (got != want) return Error{Errc::kInternal, "cannot read file: it is shorter than its range"};
    if (also) TRY(also(block));
    hash.update(block);
    done += got;
  }
  return hash.finish();
}

}  // namespace cloakroom

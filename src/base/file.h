// file.h — ranges of open files, and the durable small steps every writer to disk is made of.
//
// Errors   errno is translated by errno_error() alone: ENOSPC and EDQUOT are kDiskFull, EMFILE, ENFILE and ENOMEM
//          kUnavailable, ENOENT is kNotFound, the rest kInternal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "base/digest.h"
#include "base/handle.h"
#include "base/result.h"

namespace cloakroom {

// Bytes offset .. offset+size of an open file. The descriptor is borrowed; whoever opened it closes it.
struct FileRange {
  int fd = -1;
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
  std::string_view path = {};  // set when the range is a whole named file that may be taken by link(2)
};

Error errno_error(std::string_view operation, std::string_view subject, int number);

Result<UniqueFd> open_file(const std::string& path, int flags, unsigned mode = 0);
// To read and write, without a name: gone when it is closed. A folder that is missing is made.
Result<UniqueFd> open_nameless(const std::string& folder);
Result<std::size_t> read_at(int fd, std::span<std::byte> into, std::uint64_t offset);  // short only at end of file
Status write_all(int fd, std::span<const std::byte> bytes);
Status write_at(int fd, std::span<const std::byte> bytes, std::uint64_t offset);
Status sync_file(int fd, std::string_view name);
Status sync_folder(const std::string& path);
Status make_folders(const std::string& path, unsigned mode);  // like mkdir -p; each new one is made durable

// One buffer of limits::kCopyBufferBytes for the whole process (which is single-threaded where it is used).
std::span<std::byte> copy_buffer();

// SHA-256 of a range, which is read once, through copy_buffer(). `also` gets each block, before it is hashed; where it
// fails, all fails. kInternal when the file is shorter than the range.
Result<Sha256Digest> hash_range(const FileRange& range,
                                const std::function<Status(std::span<const std::byte>)>& also = {});

}  // namespace cloakroom

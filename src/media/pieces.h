// pieces.h — a file or a piece of memory that is read here and there, through one window.
//
// Errors   kInternal of the file. The end is no error: what is asked for beyond it is missing from the answer.
//          kTooLarge: so much was read and copied, some times the file, that it is made to be read for ever.
// Memory   the window: limits::kStripWindowBytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/file.h"

namespace cloakroom {

class Pieces {
 public:
  explicit Pieces(const FileRange& file) : file_(file), size_(file.size) {}
  explicit Pieces(std::string_view memory) : memory_(memory), size_(memory.size()) {}  // borrowed
  Pieces(const Pieces&) = delete;
  Pieces& operator=(const Pieces&) = delete;

  std::uint64_t size() const { return size_; }
  // The bytes from `offset`, `most` of them or fewer at the end; good until the next call.
  // REQUIRES: most <= limits::kStripWindowBytes
  Result<std::string_view> view(std::uint64_t offset, std::size_t most);
  // What lies from `offset` in the window, and a window more when that is little: for who looks through all of it.
  Result<std::string_view> run(std::uint64_t offset);
  // A copy, fewer bytes at the end.
  Result<std::string> copy(std::uint64_t offset, std::size_t size);

 private:
  FileRange file_;
  std::string_view memory_;
  std::uint64_t size_;
  Status work(std::size_t bytes);

  std::string window_ = {};
  std::uint64_t window_at_ = 0;
  std::uint64_t worked_ = 0;  // bytes
};

}  // namespace cloakroom

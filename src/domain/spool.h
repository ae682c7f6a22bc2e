// spool.h — bytes that come in blocks, kept in a nameless file for somebody who must have a file.
//
// Lifetime the range is that of the Spool's own descriptor.
#pragma once

#include <functional>

#include "base/file.h"
#include "domain/ports.h"

namespace cloakroom {

// Makes an empty file that has no name and goes with its descriptor.
using NamelessFile = std::function<Result<UniqueFd>()>;

class Spool final : public ByteSink {
 public:
  explicit Spool(UniqueFd file) : file_(std::move(file)) {}

  Status write(std::span<const std::byte> bytes) override {
    TRY(write_all(file_.get(), bytes));
    size_ += bytes.size();
    return Ok{};
  }
  FileRange range() const { return {file_.get(), 0, size_, {}}; }

 private:
  UniqueFd file_;
  std::uint64_t size_ = 0;
};

}  // namespace cloakroom

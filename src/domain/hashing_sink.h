// hashing_sink.h — hashes what passes, and lets somebody say no between two blocks.
#pragma once

#include <functional>
#include <utility>

#include "base/digest.h"
#include "domain/ports.h"

namespace cloakroom {

class HashingSink final : public ByteSink {
 public:
  // `took` is told of each block; `to`, borrowed, gets it before: null, nobody.
  explicit HashingSink(std::function<Status(std::size_t)> took, ByteSink* to = nullptr)
      : took_(std::move(took)), to_(to) {}

  Status write(std::span<const std::byte> bytes) override {
    hash_.update(bytes);
    if (to_ != nullptr) TRY(to_->write(bytes));
    return took_(bytes.size());
  }
  Sha256Digest finish() { return hash_.finish(); }  // once

 private:
  Sha256 hash_;
  std::function<Status(std::size_t)> took_;
  ByteSink* to_;
};

}  // namespace cloakroom

// magic.h — libmagic behind domain/ports.h: what bytes are, judged by their head alone.
#pragma once

#include <magic.h>

#include <memory>

#include "base/handle.h"
#include "domain/ports.h"

namespace cloakroom {

class MagicSniffer final : public Sniffer {
 public:
  // Loads the database (mapped, shared by children that are forked afterwards). kInternal when it cannot be read.
  static Result<std::unique_ptr<MagicSniffer>> open();

  // Bytes nobody recognises, and no bytes at all, are application/octet-stream.
  Result<std::string> mime_type(std::span<const std::byte> head) override;

 private:
  using Cookie = std::unique_ptr<magic_set, CDelete<magic_close>>;
  explicit MagicSniffer(Cookie cookie) : cookie_(std::move(cookie)) {}
  Cookie cookie_;
};

}  // namespace cloakroom

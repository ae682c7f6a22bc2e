// boxes.h — the boxes of ISO media files: where each begins, and what it is.
//
// Source   ISO/IEC 14496-12, section 4.2.
#pragma once

#include <optional>
#include <string>

#include "media/pieces.h"

namespace cloakroom {

struct Box {
  std::uint64_t at = 0;       // of its size field
  std::uint64_t content = 0;  // behind its header
  std::uint64_t end = 0;
  std::string type = {};  // four letters
  bool is_cut = false;    // it says that it is longer than what holds it

  std::uint64_t size() const { return end - content; }
};

// The box at `at`, which ends at `end` at the latest; none: there is no room for one, or what is there is no box.
Result<std::optional<Box>> box_at(Pieces& in, std::uint64_t at, std::uint64_t end);

}  // namespace cloakroom

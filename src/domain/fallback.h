// fallback.h — a second place for new files while the first is away: a disk of this node, until a job moves them.
//
// Keys     .kept/{node}/…: no other key begins so (KEY_PREFIX may not begin with a dot), and whoever sees the key knows
//          which node's disk has the file. Jobs for such a key are for that node's runner alone (db/jobs.h).
#pragma once

#include <string>
#include <string_view>

#include "domain/object_key.h"
#include "domain/ports.h"

namespace cloakroom {

struct Fallback {
  BlobStore* store = nullptr;  // null: there is none, a store that is away is an error
  KeyRule keys;                // with kept_prefix() first
};

inline constexpr std::string_view kKeptRoot = ".kept/";

inline std::string kept_prefix(std::string_view node) {
  return std::string(kKeptRoot).append(node).append("/");
}

// The store is down, hangs or is given up: another may do. Not one that answers "no", which another try would hide.
inline bool is_away(const Error& error) {
  return error.code == Errc::kStoreAway || (error.code == Errc::kStore && error.retryable);
}

}  // namespace cloakroom

// move_ports.h — what a move from store to store needs of the database.
//
// States   of an object: in the source (nothing is written), planned (a deletion ticket stands for the copy), switched
//          (the row names the copy; the old object waits for its removal), removed. Copied and proved are not written
//          down: who begins anew proves anew.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "domain/ports.h"
#include "domain/variant.h"

namespace cloakroom {

// A row with an object: of a file, or of a variant as if it were a file (as_file).
struct MovableObject {
  Attachment file;
  std::optional<VariantId> variant = {};
};

enum class MovableRows { kFiles, kVariants };

// All rows of a kind in a store, or the share of one of several processes, which get none in common.
struct MoveShare {
  MovableRows rows = MovableRows::kFiles;
  StoreKind store = StoreKind::kLocal;
  unsigned part = 0, parts = 1;
};

// Keys that a copy may get.
struct MoveNames {
  ObjectKey wanted;
  ObjectKey other;  // fresh, for where somebody may be deleting what is called as wanted
};

struct PlannedMove {
  ObjectKey to;
  DeletionTicket ticket;
  bool may_be_there = false;  // an earlier move may have left the bytes there
};

struct MoveSwitch {
  const MovableObject& object;
  StoreKind to;
  std::string to_key;
  DeletionTicket ticket;
  std::chrono::seconds grace;  // then the old object is removed
};

struct MoveCounts {
  std::uint64_t files = 0, bytes = 0;  // bytes: of the files
  std::uint64_t variants = 0, variant_bytes = 0;
};

// Objects whose rows name another store by now.
struct WaitingSources {
  StoreKind store = StoreKind::kLocal;
  std::uint64_t objects = 0, bytes = 0;
  TimePoint first_due, last_due;
};

// Errors   kDatabase as Rows
class MoveRows {
 public:
  virtual ~MoveRows() = default;
  // Those behind this key, by key, but for what waits for its node's move (domain/fallback.h).
  virtual Result<std::vector<MovableObject>> next(const MoveShare& share, const std::string& after,
                                                  std::size_t most) = 0;
  // A ticket for each, in order, due after `life`; deletions of the wanted keys that were not begun are called off.
  virtual Result<std::vector<PlannedMove>> plan(StoreKind to, std::span<const MoveNames> names,
                                                std::chrono::seconds life) = 0;
  // The commit point: the row names the copy, the ticket goes, the old object waits for its removal. kConflict: the row
  // is not what it was, or the ticket is gone; nothing was changed.
  virtual Status switch_object(const MoveSwitch& change) = 0;
  // Whether the row still names this object.
  virtual Result<bool> is_unchanged(const MovableObject& object) = 0;
  // The copy is not needed: it may be deleted now.
  virtual Status give_up(DeletionTicket ticket) = 0;

  virtual Result<MoveCounts> count(StoreKind store) = 0;
  virtual Result<std::vector<WaitingSources>> waiting() = 0;
};

}  // namespace cloakroom

// tombstones.h — files that the clean-up removed, and that can be had back until their time is over.
//
// Life     the clean-up makes one with the deletion of the row (domain/cleanup.h). restore() brings the row back.
//          begin_purge() ends that; then the objects are removed, and forget() removes the tombstone last.
// Errors   kDatabase the table is away; nothing was changed, or nobody knows
//          kConflict (restore) there is another row with that id or object by now
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/id.h"
#include "base/result.h"
#include "base/time.h"
#include "domain/attachment.h"

namespace cloakroom {

struct Tombstone {
  Uuid id;  // the attachment's
  std::string filename, reason;
  std::optional<std::string> uploader_id, message_id;
  std::uint64_t size_bytes = 0;
  TimePoint deleted_at, purge_after;
  bool is_late = false;  // its bytes are being removed
};

struct BuriedObject {
  Uuid tombstone;
  StoreKind store;
  std::string key;
};

enum class Restored { kDone, kAbsent, kLate };

class Tombstones {
 public:
  virtual ~Tombstones() = default;
  virtual Result<std::vector<Tombstone>> list(std::size_t most) = 0;  // the latest first
  // The file first, then its variants; none: there is no such tombstone.
  virtual Result<std::vector<BuriedObject>> objects_of(const Uuid& id) = 0;
  virtual Result<Restored> restore(const Uuid& id) = 0;

  // Their objects, but for those that a living row has by now. From here none of them can be restored. One that was
  // restored before, or is gone, has none.
  virtual Result<std::vector<BuriedObject>> begin_purge(std::span<const Uuid> ids) = 0;
  // Those whose purge has begun; their objects are gone.
  virtual Status forget(std::span<const Uuid> ids) = 0;
};

}  // namespace cloakroom

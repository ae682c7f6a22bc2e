// repairs.h — a local file that is gone or is not what its row says comes back from its copy.
//
// Order    the copy is fetched into a nameless file and its hash compared with the row's; then it is made durable under
//          a name that nobody reads; then, while the row is locked so that nobody can delete it, renamed into place. So
//          bytes never come back to a file that was deleted, and a reader sees the old ones or the right ones.
// Again    killed anywhere: a nameless file is gone by itself, a temporary name is swept.
// Kept     nothing of the damaged file: its bytes are nobody's.
// Errors   the stores' and the rows'; kInternal both sides are lost or damaged; what `took` says
// Log      file.repaired: id
#pragma once

#include <functional>

#include "domain/copies.h"
#include "domain/spool.h"

namespace cloakroom {

enum class Side { kRight, kMissing, kDamaged };
enum class BroughtBack { kDone, kCopyMissing, kCopyDamaged, kRowIsGone };

class Repairs {
 public:
  using StoreOf = std::function<BlobStore*(StoreKind)>;  // null: not configured
  // Is told of bytes that were read, before the next ones are; its error ends the reading.
  using Took = std::function<Status(std::size_t bytes)>;
  struct Parts {
    CopyRows& copies;
    LocalFiles& local;
    StoreOf store_of;
    NamelessFile nameless;  // on the file system of the local store
  };
  explicit Repairs(Parts parts) : p_(std::move(parts)) {}

  // What a job does: looks at the local file, and has it brought back if it must be. One that is right gets its time.
  Status repair(const Uuid& id);

  Result<Side> look_at_file(const Attachment& row, const Took& took);
  // Also of a file that lies in the store itself.
  Result<Side> look_at_object(const CopyPlace& place, const Attachment& row, const Took& took);
  Result<BroughtBack> bring_back(const Attachment& row, const CopyPlace& from, const Took& took);

 private:
  // `sink` gets the object's bytes. kMissing, or kDamaged: it has another size.
  Result<Side> read_object(const CopyPlace& place, std::uint64_t size_bytes, ByteSink& sink);

  Parts p_;
};

}  // namespace cloakroom

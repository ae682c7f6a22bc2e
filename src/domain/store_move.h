// store_move.h — moves all objects of one store into another, file by file, while everybody reads and uploads.
//
// Order    of each: plan (a deletion ticket for the copy), read the source and compare it with its row, copy, prove,
// then
//          one statement that makes the row name the copy and leaves the old object to be removed after `grace`.
//          Files first, then variants; again, until a walk finds none.
// Again    killed anywhere, or repeated: what was switched is not in the source any more, what was only copied is read
//          back and counts as there when it is what the row says. Nothing of an earlier run is believed.
// Explained   a row that was deleted, buried or switched meanwhile is left alone and counted as gone.
// Unexplained all else that another try will not mend: bytes that are lost, unreadable or not what the row says, a copy
//          that reads back otherwise. The walk ends with it, and nothing of that file was changed.
// Errors   kDatabase, and those of the stores that another try may mend: call again, later
// Memory   a page of kPage rows, one copy buffer; a file from a store that is no disk lies in a nameless file
// meanwhile.
#pragma once

#include <functional>
#include <memory>

#include "domain/move_ports.h"
#include "domain/object_copy.h"
#include "domain/spool.h"

namespace cloakroom {

enum class Moved { kCopied, kWasThere, kGone };

struct MoveDifference {
  Uuid attachment_id;
  std::string variant;  // "thumb/webp"; empty: the file itself
  std::string what;     // never a key
};

struct StoreMoveRules {
  KeyRule keys;  // for fresh ones
  CopyRules copy;
  std::chrono::seconds grace{};
  std::chrono::seconds ticket_life{};  // and the time that the pace takes
  std::uint64_t bytes_per_second = 0;  // of all processes together, that `pace` keeps; 0: no pace
  unsigned part = 0, parts = 1;        // of the processes that share the work
  std::function<bool()> is_stop_asked = [] { return false; };
  // Called with bytes of the source, or of a copy that is read back, as they are read; may sleep. An error ends the
  // walk.
  std::function<Status(std::size_t)> pace = [](std::size_t) -> Status { return Ok{}; };
  std::function<void(const MovableObject&, Moved)> moved = [](const MovableObject&, Moved) {};
};

class StoreMove {
 public:
  struct Parts {
    MoveRows& rows;
    BlobStore& source;
    BlobStore& target;
    std::function<Result<UniqueFd>(const ObjectKey&)> open_source;  // where it is a disk; else empty
    NamelessFile nameless;
    const Clock& clock;
  };
  enum class End { kFinished, kStopped, kDifference };

  StoreMove(Parts parts, StoreMoveRules rules);  // borrowed

  Result<End> run();
  const MoveDifference& difference() const { return difference_; }  // after kDifference

 private:
  struct Source {
    UniqueFd file;
    std::unique_ptr<Spool> spool;
    FileRange bytes;
  };

  Result<bool> walk(MovableRows rows);  // whether there was any
  Status move_page(std::span<const MovableObject> page);
  std::chrono::seconds life_of_tickets(std::span<const MovableObject> page) const;
  Status move_one(const MovableObject& object, const PlannedMove& plan);
  Result<Moved> copy_and_switch(const MovableObject& object, const PlannedMove& plan);
  Result<Source> read_source(const Attachment& file);
  Status compare_file(const FileRange& bytes, const Attachment& file);
  Result<Moved> explain(const MovableObject& object, const PlannedMove& plan, Error why);

  Parts p_;
  StoreMoveRules rules_;
  ObjectCopier copier_;
  MoveDifference difference_;
  bool is_over_ = false;  // stopped, or a difference
};

}  // namespace cloakroom

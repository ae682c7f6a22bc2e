// move.h — moves the object of one row from the local disk to another store, under the eyes of readers.
//
// Order    deletion ticket for the copy, copy and proof (domain/object_copy), then one statement: the row names the
//          copy if it still names the original, the ticket goes, and a job deletes the original after `linger`, so that
//          a download that has just read the row finds it.
// Again    killed anywhere, repeated, or done by two at once: one of them switches the row. Each try has a key of its
//          own, so the ticket of a try that lost can only delete what that try stored.
// Errors   the target's and the rows'; kConflict the row was switched or deleted meanwhile; kInternal the file is lost
//          or is not what the row says. Then nothing has changed but for a copy with a ticket.
#pragma once

#include <functional>

#include "base/handle.h"
#include "domain/object_copy.h"
#include "domain/ports.h"

namespace cloakroom {

struct MoveRules {
  KeyRule keys;  // of the copy
  CopyRules copy;
  std::chrono::seconds orphan_grace{};  // after this a copy without a row is deleted
  std::chrono::seconds linger{};
};

class Mover {
 public:
  using OpenLocal = std::function<Result<UniqueFd>(const ObjectKey&)>;

  Mover(Rows& rows, BlobStore& target, OpenLocal open_local, const Clock& clock, MoveRules rules)
      : rows_(rows),
        target_(target),
        open_local_(std::move(open_local)),
        clock_(clock),
        rules_(std::move(rules)),
        copier_(target, rules_.copy) {}

  // A row that is gone, or no longer in the local store under `from`, is a success: there is nothing to move.
  Status move(const Uuid& id, const ObjectKey& from);

 private:
  Status copy_and_switch(const Attachment& row, const FileRange& bytes, const ObjectKey& to, DeletionTicket ticket);

  Rows& rows_;
  BlobStore& target_;
  OpenLocal open_local_;
  const Clock& clock_;
  MoveRules rules_;
  ObjectCopier copier_;
};

}  // namespace cloakroom

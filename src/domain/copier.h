// copier.h — makes the copy of one file of the local store.
//
// Order    as every way to a store (upload.h, move.h): deletion ticket, put (its hash compared with the row's), its
//          size asked back, then one statement: the row of the copy names it if it is still wanted, and the ticket
//          goes.
// Again    killed anywhere, repeated, or done by two at once: one of them is named. Each try has a key of its own, so
//          the ticket of a try that lost can only delete what that try stored.
// Errors   the target's and the rows'; kConflict the file was deleted or copied meanwhile; kInternal the local file is
//          lost or is not what the row says: such bytes never become a copy.
#pragma once

#include "domain/copies.h"
#include "domain/object_copy.h"

namespace cloakroom {

struct CopierRules {
  KeyRule keys;
  CopyRules copy;
  std::chrono::seconds orphan_grace{};  // after this an object without a row is deleted
};

class Copier {
 public:
  struct Parts {
    Rows& rows;
    CopyRows& copies;
    LocalFiles& local;
    BlobStore& target;
    const Clock& clock;
  };
  Copier(Parts parts, CopierRules rules) : p_(parts), rules_(std::move(rules)) {}

  // A file that is gone, that needs no copy or has one, is a success.
  Status copy(const Uuid& id);

 private:
  Parts p_;
  CopierRules rules_;
};

}  // namespace cloakroom

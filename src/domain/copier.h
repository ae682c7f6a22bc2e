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
#include "domain/stored_meta.h"

namespace cloakroom {

struct CopyRules {
  KeyRule keys;
  std::string object_cache_control;
  std::chrono::seconds orphan_grace{};  // after this an object without a row is deleted
  StoredHeadersOf stored_headers = {};
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
  Copier(Parts parts, CopyRules rules) : p_(parts), rules_(std::move(rules)) {}

  // A file that is gone, that needs no copy or has one, is a success.
  Status copy(const Uuid& id);

 private:
  Status put_and_commit(const Attachment& row, const FileRange& bytes, const ObjectKey& to, DeletionTicket ticket);

  Parts p_;
  CopyRules rules_;
};

}  // namespace cloakroom

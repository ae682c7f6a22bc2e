// abandon.h — what becomes of objects on their way whose rows will not come.
//
// Rule     best effort: the tickets stand, so what is not done here falls due after the grace. A commit whose answer
//          was lost took its tickets with it, so nothing here can touch a file that has its row.
#pragma once

#include <span>

#include "domain/ports.h"

namespace cloakroom {

struct PlannedObjects {
  StoreKind store;
  std::span<const ObjectKey> keys;
  std::span<const DeletionTicket> tickets;  // of plan_deletions() or plan_upload(), one a key
};

void abandon(Rows& rows, const PlannedObjects& objects, const Error& why);

}  // namespace cloakroom

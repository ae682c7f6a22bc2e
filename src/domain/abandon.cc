// abandon.cc — objects without a row are deleted sooner than their tickets say, where that is safe.
#include "domain/abandon.h"

namespace cloakroom {

void abandon(Rows& rows, const PlannedObjects& objects, const Error& why) {
  // a ticket's job ran while its object was still on the way, so that object has no ticket any more
  if (why.code == Errc::kConflict) {
    [[maybe_unused]] const auto again = rows.plan_deletions(objects.store, objects.keys, std::chrono::seconds(0));
  }
  // A store that did not answer may still finish the put: then the object is there later, and so must be its ticket.
  if (why.code != Errc::kStore) {
    [[maybe_unused]] const Status hastened = rows.hasten_deletions(objects.tickets);
  }
}

}  // namespace cloakroom

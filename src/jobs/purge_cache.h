// purge_cache.h — takes the copies of deleted objects out of the cache of the nginx on this host.
//
// Who      every runner, for its own host: copies are wherever somebody read. It must run as nginx's user, whose
// folders
//          nobody else may enter; if it does not, one warning says so, and copies stay until they age.
// When     at start for all deletions on record, then at every call for new ones; and once more 5 to 10 minutes later,
//          for nginx may have been fetching the object while it was deleted.
// nginx    notices: a copy whose file is gone is fetched anew. Its cache manager logs a failed unlink when the entry
//          expires; that is harmless.
// Log      cache.purged with the number of files; cache.purge_failed once, until it worked again. Never a key.
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "domain/deletions.h"

namespace cloakroom {

struct CachePurgerOptions {
  std::string folder;  // proxy_cache_path; one that is not there has nothing to purge
  std::string instance;
  std::function<std::chrono::steady_clock::time_point()> now = {};  // empty: the steady clock
};

class CachePurger {
 public:
  CachePurger(Deletions& deletions, CachePurgerOptions options);

  // Never fails: what did not work is logged, and done by a later call.
  void purge();

 private:
  using TimePoint = std::chrono::steady_clock::time_point;

  Status look(DeletionMark since);
  Status look_when_due(TimePoint now);
  Status forget_when_due(TimePoint now);
  void remove_copies(const DeletedObject& object);
  static void complain(const Error& error, bool& complained);

  Deletions& deletions_;
  CachePurgerOptions options_;
  DeletionMark seen_ = 0;           // everything before it is purged
  DeletionMark again_[2] = {0, 0};  // marks of the last two second looks, older first
  TimePoint next_, next_again_;     // not before
  TimePoint next_forget_;
  std::uint64_t removed_ = 0, looked_at_ = 0;  // in this pass
  bool told_of_files_ = false, told_of_list_ = false;
  bool stuck_ = false;  // a file in this pass could not be removed
};

}  // namespace cloakroom

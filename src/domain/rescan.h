// rescan.h — scans what is kept again when the scanner has learned something new, and shuts away what it finds then.
//
// Walk     one for all runners, in the order of ids, by small steps. How far it has come is in the database, so it goes
//          on after a crash, by whichever runner comes first. Newer signatures begin it anew; a runner whose scanner
//          has older ones leaves it alone. The first walk is due when scanning is first turned on.
// Rate     at most `bytes_per_second`, and at most half of a runner's time.
// Found    the row is quarantined: from the next request on nobody gets the bytes (domain/access), and nginx's copies
//          go as those of deleted files do. The object stays, for a sysadmin to judge.
// Skipped  larger than the scanner takes; gone; on another node's disk (S3_FALLBACK); and what three tries could not
//          scan although scanner and store are well, or a file that kills the scanner would end the walk.
// Log      rescan.begun, rescan.done; rescan.infected is the audit line; rescan.skipped; rescan.waits once, until it
//          goes on
#pragma once

#include <chrono>
#include <functional>
#include <vector>

#include "domain/scan_ports.h"

namespace cloakroom {

// Errors   kDatabase as Rows
class RescanRows {
 public:
  virtual ~RescanRows() = default;

  // True: a walk with these signatures begins now; false: there was one with these or newer ones. `again`: also then.
  virtual Result<bool> begin(std::uint64_t signatures, bool again) = 0;
  // Takes, or goes on to have, the walk for `lease`; the id after which it goes on. Empty: it is over, another runner
  // has it, or it is with other signatures.
  virtual Result<std::optional<Uuid>> hold(std::uint64_t signatures, std::chrono::seconds lease) = 0;
  // Those not yet in quarantine, by id.
  virtual Result<std::vector<Attachment>> next(const Uuid& after, std::size_t most) = 0;
  // kConflict: it is no longer ours.
  virtual Status advance(std::uint64_t signatures, const Uuid& after, bool is_finished) = 0;
};

struct RescanRules {
  std::uint64_t max_bytes = 0;  // of a file
  std::uint64_t bytes_per_second = 0;
  std::function<std::chrono::steady_clock::time_point()> now = {};  // empty: the steady clock
};

class Rescan {
 public:
  using StoreOfKind = std::function<BlobStore*(StoreKind)>;  // null: not configured
  struct Parts {
    Rows& rows;
    RescanRows& walk;
    Scanner& scanner;
    StoreOfKind store_of;
  };
  Rescan(Parts parts, RescanRules rules);

  // A small step, if one is due. Never fails: what did not work is logged, and tried again later.
  void step();
  std::chrono::milliseconds until_due() const;

 private:
  using TimePoint = std::chrono::steady_clock::time_point;
  enum class Scanned { kYes, kSkipped };

  Result<bool> do_step();  // whether there was something to do
  Status look();
  Result<Scanned> scan(const Attachment& row);
  Result<Scanned> scan_or_skip(const Attachment& row);
  Status shut_away(const Attachment& row, const std::string& signature);

  Parts p_;
  RescanRules rules_;
  std::uint64_t signatures_ = 0;
  bool is_known_ = false;                                 // signatures_
  TimePoint next_, next_look_;                            // not before
  std::uint64_t step_bytes_ = 0;                          // scanned in this step
  Uuid stuck_at_{};                                       // the file that could not be scanned
  int tries_ = 0;                                         // how often
  std::uint64_t files_ = 0, infected_ = 0, skipped_ = 0;  // of this walk, by this runner
  bool has_complained_ = false;
};

}  // namespace cloakroom

// cleanup.h — which files the clean-up takes for waste, what the database is asked for it, and the walk over them.
//
// Reasons  in this order, the first counts:
//          STALE_HOURS   linked to nothing for so long: since the upload, or since it was unlinked, whichever is later
//          RETENTION     uploaded so long ago, linked or not; the first rule that fits the type counts
//          OWNER_QUERY   linked to a message that the application does not know, for more than kOwnerGrace: an
//                        application may link before it commits its message
//          Files in quarantine are left to the sysadmin.
// Removal  one short transaction a batch, which looks again whether each file still is what was seen (cloakroom_bury()
// in
//          sql/012). With a time to undo it leaves a tombstone (domain/tombstones.h), else it is a deletion like any
//          other. The walk may be killed at any point and begun anew.
// Clock    the database's, for all hosts.
// Memory   one batch of files.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/id.h"
#include "base/result.h"
#include "base/time.h"

namespace cloakroom {

inline constexpr std::chrono::hours kOwnerGrace{24};

// What the clean-up looks at.
struct CleanupFile {
  Uuid id;
  std::optional<std::string> message_id;  // empty: linked to nothing
  std::string filename, mime_type;
  std::uint64_t size_bytes = 0;
  TimePoint created_at;
  std::optional<TimePoint> linked_at, unlinked_at;
};

struct CleanupPage {
  std::vector<CleanupFile> files;  // none: that was the end
  TimePoint now;                   // when they were seen
};

struct CleanupCandidate {
  CleanupFile file;
  std::string reason;  // for people: "linked to nothing since 2026-01-31T09:30:00.123Z (STALE_HOURS)"
};

// Errors   kDatabase PostgreSQL is away, or was too slow; nothing was changed
//          kInvalid  OWNER_QUERY is refused by PostgreSQL; `detail` has its words
//          kInternal a row of the application hangs on one of these (a foreign key), and the like; nothing was changed
class CleanupRows {
 public:
  virtual ~CleanupRows() = default;
  // Files that are linked to nothing for `age`, the oldest upload first, behind `after`.
  virtual Result<CleanupPage> stale(std::chrono::hours age, const std::optional<CleanupFile>& after,
                                    std::size_t most) = 0;
  // All files but those in quarantine, by id.
  virtual Result<CleanupPage> next(const Uuid& after, std::size_t most) = 0;
  // Those of these messages that the application knows.
  virtual Result<std::set<std::string>> living(std::span<const std::string> message_ids) = 0;
  // The ids of those that were removed: others were linked, or went, meanwhile.
  virtual Result<std::vector<Uuid>> bury(std::span<const CleanupCandidate> candidates, TimePoint seen,
                                         std::chrono::hours undo) = 0;
};

struct RetentionRule {
  std::string type;  // as RETENTION has it
  std::chrono::hours age{};
};

// Whether a rule's type is that of the file: "*", "image/*", "image/png", or a word of file_type().
bool fits_type(std::string_view rule, std::string_view mime_type);

struct CleanupRules {
  std::chrono::hours stale{};  // 0: none are
  std::chrono::hours undo{};   // 0: nothing can be had back
  std::vector<RetentionRule> retention = {};
  bool asks_owner = false;
  bool trusts_owner = false;  // also when he knows none of many messages
  bool is_rehearsal = false;  // nothing is changed
  std::size_t batch = 500;
  std::uint64_t limit = 0;  // files of one run; 0: any number
};

struct CleanupTotals {
  std::uint64_t looked_at = 0, candidates = 0, removed = 0, bytes = 0, kept = 0, failed = 0;
};

class Cleanup {
 public:
  struct Watch {
    std::function<void(const CleanupCandidate&)> removed = {};               // or would be, in a rehearsal
    std::function<void(const CleanupCandidate&, const Error&)> failed = {};  // the others go on
    std::function<Status(const CleanupTotals&)> between = {};                // after each batch; an Error ends the walk
  };

  Cleanup(CleanupRows& rows, CleanupRules rules, Watch watch)
      : rows_(rows), rules_(std::move(rules)), watch_(std::move(watch)) {}

  // True: the end was reached; false: the limit. kConflict: the owner knows none of many messages, which is more likely
  // a mistake in the query than the truth. Whatever it answers, totals() hold.
  Result<bool> run();
  const CleanupTotals& totals() const { return totals_; }

 private:
  Result<bool> run_stale();
  Result<bool> run_all();
  Result<std::vector<CleanupCandidate>> judge(CleanupPage page);
  Status add_orphans(std::vector<CleanupFile> linked, std::vector<CleanupCandidate>& candidates);
  // False: the limit is reached.
  Result<bool> remove(std::vector<CleanupCandidate> candidates, TimePoint seen);
  Status remove_batch(std::span<const CleanupCandidate> batch, TimePoint seen);

  CleanupRows& rows_;
  CleanupRules rules_;
  Watch watch_;
  CleanupTotals totals_;
};

}  // namespace cloakroom

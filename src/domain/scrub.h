// scrub.h — reads every file and every copy again, compares them with the recorded hash, and mends either from the
// other.
//
// Walk     in the order of ids. How far it has come, and what it has found, is in the database: one that was killed
//          goes on there. A rehearsal changes nothing, and so begins at the beginning.
// Mending  a local file that is gone or damaged comes back from its copy (repairs.h); a copy that is gone or damaged is
//          wanted anew, and a job makes it. What is bad on both sides, or has no other side, is told of.
// Twice    what is bad is judged by its row as it is then: a file that was deleted or moved meanwhile is no finding.
// Rate     of both sides together (pace.h)
// Memory   a page of rows, one copy buffer
// Errors   those of the parts; the walk goes on behind the last file that was read whole
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "domain/pace.h"
#include "domain/repairs.h"

namespace cloakroom {

struct ScrubTotals {
  std::uint64_t files = 0, bytes = 0;  // bytes of both sides
  std::uint64_t repaired = 0;          // local files
  std::uint64_t queued = 0;            // copies that are made anew
  std::uint64_t broken = 0;            // files that are nowhere whole
  std::uint64_t skipped = 0;           // what lies in a store that is not configured here
};

struct ScrubState {
  Uuid after{};
  ScrubTotals totals;
  bool is_resumed = false;
};

// Errors   kDatabase as Rows
class ScrubRows {
 public:
  virtual ~ScrubRows() = default;
  // Goes on with the walk that was not finished, or begins one.
  virtual Result<ScrubState> begin() = 0;
  virtual Result<std::uint64_t> count_from(const Uuid& after) = 0;
  // By id; not what lives elsewhere.
  virtual Result<std::vector<FileWithCopy>> next(const Uuid& after, std::size_t most) = 0;
  // `right`: files both sides of which were read and are right.
  virtual Status advance(const Uuid& after, const ScrubTotals& totals, std::span<const Uuid> right,
                         bool is_finished) = 0;
};

enum class ScrubMending { kNone, kRepaired, kQueued, kWouldRepair, kWouldQueue };

struct ScrubFinding {
  Uuid id;
  StoreKind store = StoreKind::kLocal;
  bool is_copy = false;
  Side side = Side::kMissing;
  ScrubMending mending = ScrubMending::kNone;
};

struct ScrubRules {
  bool is_rehearsal = false;
  std::function<bool(std::string_view)> is_here = [](std::string_view) { return true; };  // a local file of this node
  std::function<void(const ScrubFinding&)> tell = [](const ScrubFinding&) {};
  std::function<void(const ScrubTotals&)> progress = [](const ScrubTotals&) {};
};

class Scrub {
 public:
  struct Parts {
    ScrubRows& walk;
    CopyRows& copies;
    LocalFiles& local;
    Repairs& repairs;
    std::function<BlobStore*(StoreKind)> store_of;  // null: not configured
    Pace& pace;
  };
  Scrub(Parts parts, ScrubRules rules, ScrubState& state)
      : p_(std::move(parts)), rules_(std::move(rules)), state_(state) {}

  // False: it was asked to stop before the end. `state` has come from begin(), or is new in a rehearsal.
  Result<bool> run();

 private:
  Result<bool> scrub_page(std::span<const FileWithCopy> page);
  Status scrub_file(const FileWithCopy& file);
  Status scrub_stored(const Attachment& file);
  Status scrub_local(const FileWithCopy& file);
  Status mend_file(const FileWithCopy& file, Side side);
  Status mend_copy(const FileWithCopy& file, Side side);
  Status take_time(const Attachment& file);
  void tell_broken(const ScrubFinding& finding);
  Status save(bool is_finished);
  Repairs::Took took();

  Parts p_;
  ScrubRules rules_;
  ScrubState& state_;
  std::vector<Uuid> right_;  // not yet noted
};

}  // namespace cloakroom

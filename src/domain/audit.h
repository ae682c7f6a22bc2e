// audit.h — compares what a store holds with what the database knows, and mends what may be mended without a loss.
//
// Shape    a merge of two sorted streams. What does not fit together is a candidate; candidates are looked at again,
// some
//          hundreds at a time, in the store and by their rows as they are now: what was uploaded, moved or deleted
//          meanwhile is no finding.
// Mending  bytes without a row get a job that deletes them, if they are older than `grace`; the row of a variant
// without
//          bytes goes, for the variant is made again; a copy without bytes is made anew. Nothing else: whatever else is
//          wrong takes somebody who decides. Each step is one statement that looks again, so that it may be killed or
//          repeated at any moment.
// Order    of looking again: the store first where a row is there (a row goes before its bytes), the rows first where
//          bytes are there (bytes come after their ticket).
// Memory   one candidate list of kCandidates, one copy buffer.
// Errors   those of the parts; kInternal a stream that is not sorted: this store cannot be audited.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "domain/audit_ports.h"
#include "domain/pace.h"
#include "domain/ports.h"

namespace cloakroom {

enum class AuditProblem {
  kRowWithoutBytes,
  kBytesWithoutRow,
  kWrongSize,
  kWrongHash,
  kUnreadable,
  kVariantWithoutBytes,
  kVariantWithoutOriginal,
  kCopyWithoutBytes,
};
std::string_view to_string(AuditProblem problem);  // "row without bytes"
// What to do about it: a sentence.
std::string_view remedy(AuditProblem problem);

// kOverLimit: it could be mended, but enough was.
enum class Mending { kNone, kDone, kWould, kOverLimit };

struct AuditFinding {
  AuditProblem problem;
  std::string key;
  Uuid attachment_id = {};  // zero: none is known
  std::string variant = {};
  std::uint64_t expected_bytes = 0, found_bytes = 0;
  Mending mending = Mending::kNone;
};

struct AuditTotals {
  std::uint64_t rows = 0, objects = 0;
  std::uint64_t young = 0;    // objects without a row that are younger than `grace`
  std::uint64_t foreign = 0;  // objects whose names are not ours
  std::uint64_t hashed_bytes = 0;
  std::uint64_t problems = 0, mended = 0;
};

struct AuditRules {
  bool fix = false, dry_run = false, hash = false;
  std::chrono::seconds grace{};
  std::uint64_t bytes_per_second = 0;                                            // of hashing; 0: as fast as it goes
  std::uint64_t most_mended = 0;                                                 // the rest is told of, no more
  std::function<bool(std::string_view)> is_ours = {};                            // whether we name objects so
  std::function<void(const AuditFinding&)> tell = [](const AuditFinding&) {};    // called in the order of candidates
  std::function<bool()> is_stop_asked = [] { return false; };                    // looked at often
  std::function<void(const AuditTotals&)> progress = [](const AuditTotals&) {};  // the same
  std::function<std::chrono::steady_clock::time_point()> clock = {};             // null: the system's
  std::function<void(std::chrono::milliseconds)> pause = {};                     // null: sleeps
};

class Audit {
 public:
  struct Parts {
    AuditRows& rows;
    BlobStore& store;
    ObjectListing& listing;
  };
  Audit(Parts parts, AuditRules rules, AuditTotals& totals);  // borrowed

  // False: it was asked to stop before the end. REQUIRES: rows.begin() was called for this store.
  Result<bool> run();

 private:
  struct Candidate {
    AuditProblem problem;
    KnownObject known = {};  // of kBytesWithoutRow only its key
    std::uint64_t found_bytes = 0;
  };

  Result<std::optional<KnownObject>> next_row();
  Result<std::optional<ListedObject>> next_object();
  Status compare(const KnownObject& row, const ListedObject& object);
  Status check_hash(const KnownObject& row);
  Status consider_object(const ListedObject& object);
  Status consider(Candidate candidate);
  Status settle();
  Result<bool> still_wrong_in_store(Candidate& candidate);
  Status mend(const std::vector<Candidate>& wrong);
  Result<Mending> mend_row(const Candidate& candidate);
  Mending may_mend();
  Status took(std::uint64_t bytes);

  Parts p_;
  AuditRules rules_;
  AuditTotals& totals_;
  std::vector<Candidate> candidates_;
  std::string last_row_, last_object_;
  bool has_row_ = false, has_object_ = false;
  Pace pace_;
};

}  // namespace cloakroom

// audit.cc — the merge, the second look, and what may be mended.
#include "domain/audit.h"

#include <algorithm>
#include <utility>

#include "domain/hashing_sink.h"

namespace cloakroom {
namespace {

constexpr std::size_t kCandidates = 500;

AuditProblem missing(const KnownObject& row) {
  if (row.owner == KnownObject::Owner::kCopy) return AuditProblem::kCopyWithoutBytes;
  return row.owner == KnownObject::Owner::kVariant ? AuditProblem::kVariantWithoutBytes
                                                   : AuditProblem::kRowWithoutBytes;
}

bool is_same_row(const std::optional<KnownObject>& now, const KnownObject& then) {
  return now && now->owner == then.owner && now->attachment_id == then.attachment_id &&
         now->size_bytes == then.size_bytes && now->sha256 == then.sha256;
}

}  // namespace

std::string_view to_string(AuditProblem problem) {
  switch (problem) {
    case AuditProblem::kRowWithoutBytes:
      return "row without bytes";
    case AuditProblem::kBytesWithoutRow:
      return "bytes without row";
    case AuditProblem::kWrongSize:
      return "wrong size";
    case AuditProblem::kWrongHash:
      return "wrong hash";
    case AuditProblem::kUnreadable:
      return "unreadable";
    case AuditProblem::kVariantWithoutBytes:
      return "variant without bytes";
    case AuditProblem::kVariantWithoutOriginal:
      return "variant without original";
    case AuditProblem::kCopyWithoutBytes:
      return "copy without bytes";
  }
  BUG("unknown problem");
}

std::string_view remedy(AuditProblem problem) {
  switch (problem) {
    case AuditProblem::kRowWithoutBytes:
      return "if it has a copy in S3: cloakroom scrub; else put the object back from a backup under this key, or "
             "delete "
             "the attachment";
    case AuditProblem::kBytesWithoutRow:
      return "if the database is no older than the store (a restored backup is): cloakroom audit --fix";
    case AuditProblem::kWrongSize:
    case AuditProblem::kWrongHash:
      return "somebody wrote to the store, or it is damaged: cloakroom scrub, if there is a copy; else put the "
             "object back from a backup under this key";
    case AuditProblem::kUnreadable:
      return "look at the disk and at the rights of the file; put it back from a backup if it is lost";
    case AuditProblem::kVariantWithoutBytes:
      return "cloakroom audit --fix removes the row; the picture is made again when somebody asks for it";
    case AuditProblem::kVariantWithoutOriginal:
      return "a foreign key was switched off: delete the row from the table variants; its object follows by a job";
    case AuditProblem::kCopyWithoutBytes:
      return "cloakroom audit --fix queues it to be copied anew";
  }
  BUG("unknown problem");
}

Audit::Audit(Parts parts, AuditRules rules, AuditTotals& totals)
    : p_(parts),
      rules_(std::move(rules)),
      totals_(totals),
      pace_({.bytes_per_second = rules_.bytes_per_second,
             .is_stop_asked = rules_.is_stop_asked,
             .clock = rules_.clock,
             .pause = rules_.pause}) {}

// A row and a promise of the same key: the row counts.
Result<std::optional<KnownObject>> Audit::next_row() {
  while (true) {
    TRY_ASSIGN(auto row, p_.rows.next());
    if (!row) return row;
    if (has_row_ && row->key < last_row_) return Error{Errc::kInternal, "the rows are not sorted by key"};
    const bool is_again = std::exchange(has_row_, true) && row->key == last_row_;
    last_row_ = row->key;
    if (is_again) continue;
    if (row->owner != KnownObject::Owner::kPromise) ++totals_.rows;
    return row;
  }
}

Result<std::optional<ListedObject>> Audit::next_object() {
  TRY_ASSIGN(auto object, p_.listing.next());
  if (!object) return object;
  if (has_object_ && object->key <= last_object_) {
    return Error{Errc::kInternal, "the store does not list its objects sorted by key: it cannot be audited"};
  }
  has_object_ = true;
  last_object_ = object->key;
  ++totals_.objects;
  return object;
}

Result<bool> Audit::run() {
  TRY_ASSIGN(auto row, next_row());
  TRY_ASSIGN(auto object, next_object());
  while (row || object) {
    if (rules_.is_stop_asked()) break;
    const int order = !object ? -1 : !row ? 1 : row->key.compare(object->key);
    Status looked = Ok{};
    if (order < 0) {
      if (row->owner != KnownObject::Owner::kPromise) looked = consider({missing(*row), *row});
    } else if (order > 0) {
      looked = consider_object(*object);
    } else if (row->owner != KnownObject::Owner::kPromise) {
      looked = compare(*row, *object);
    }
    if (!looked) {
      if (rules_.is_stop_asked()) break;
      return std::move(looked).error();
    }
    if (order <= 0) {
      TRY_ASSIGN(row, next_row());
    }
    if (order >= 0) {
      TRY_ASSIGN(object, next_object());
    }
    rules_.progress(totals_);
  }
  TRY(settle());
  return !row && !object;
}

Status Audit::compare(const KnownObject& row, const ListedObject& object) {
  if (!row.has_original) TRY(consider({AuditProblem::kVariantWithoutOriginal, row}));
  if (row.size_bytes != object.size_bytes) return consider({AuditProblem::kWrongSize, row, object.size_bytes});
  return rules_.hash ? check_hash(row) : Status(Ok{});
}

Status Audit::check_hash(const KnownObject& row) {
  TRY_ASSIGN(const ObjectKey key, ObjectKey::parse(row.key));
  HashingSink sink([this](std::size_t bytes) { return took(bytes); });
  const Status read = p_.store.get(key, {0, row.size_bytes}, sink);
  if (!read && read.error().code == Errc::kNotFound) return consider({missing(row), row});
  if (!read && read.error().code == Errc::kInternal) return consider({AuditProblem::kUnreadable, row, row.size_bytes});
  if (!read) return read;
  if (sink.finish() != row.sha256) return consider({AuditProblem::kWrongHash, row, row.size_bytes});
  return Ok{};
}

Status Audit::took(std::uint64_t bytes) {
  totals_.hashed_bytes += bytes;
  return pace_.took(bytes);
}

Status Audit::consider_object(const ListedObject& object) {
  if (!rules_.is_ours(object.key)) {
    ++totals_.foreign;
    return Ok{};
  }
  if (object.changed_at > p_.listing.now() - rules_.grace) {
    ++totals_.young;
    return Ok{};
  }
  Candidate candidate{AuditProblem::kBytesWithoutRow};
  candidate.known.key = object.key;
  candidate.found_bytes = object.size_bytes;
  return consider(std::move(candidate));
}

Status Audit::consider(Candidate candidate) {
  candidates_.push_back(std::move(candidate));
  return candidates_.size() < kCandidates ? Status(Ok{}) : settle();
}

// Whether the store still shows what made it a candidate. What came late, or was moved into place, does not.
Result<bool> Audit::still_wrong_in_store(Candidate& c) {
  if (c.problem == AuditProblem::kVariantWithoutOriginal || c.problem == AuditProblem::kWrongHash ||
      c.problem == AuditProblem::kUnreadable) {
    return true;
  }
  const auto key = ObjectKey::parse(c.known.key);
  if (!key) return c.problem != AuditProblem::kBytesWithoutRow;  // no store can have it
  const auto info = p_.store.head(*key);
  if (!info && info.error().code != Errc::kNotFound) return info.error();
  if (c.problem == AuditProblem::kBytesWithoutRow) return info.has_value();
  if (info && info->size_bytes == c.known.size_bytes) return false;
  if (info) {
    c.problem = AuditProblem::kWrongSize;
    c.found_bytes = info->size_bytes;
  } else {
    c.problem = missing(c.known);
  }
  return true;
}

Status Audit::settle() {
  std::vector<Candidate> candidates = std::exchange(candidates_, {});
  std::vector<Candidate> still;
  for (Candidate& c : candidates) {
    bool is_wrong = true;
    if (c.problem != AuditProblem::kBytesWithoutRow) {
      TRY_ASSIGN(is_wrong, still_wrong_in_store(c));
    }
    if (is_wrong) still.push_back(std::move(c));
  }
  if (still.empty()) return Ok{};
  std::vector<std::string> keys;
  keys.reserve(still.size());
  for (const Candidate& c : still) keys.push_back(c.known.key);
  TRY_ASSIGN(const auto known, p_.rows.look(p_.store.kind(), keys));
  std::vector<Candidate> wrong;
  for (std::size_t i = 0; i < still.size(); ++i) {
    Candidate& c = still[i];
    bool is_wrong = is_same_row(known[i], c.known);
    if (c.problem == AuditProblem::kVariantWithoutOriginal) is_wrong = is_wrong && !known[i]->has_original;
    if (c.problem == AuditProblem::kBytesWithoutRow) {
      is_wrong = !known[i];
      if (is_wrong) {
        TRY_ASSIGN(is_wrong, still_wrong_in_store(c));
      }
    }
    if (is_wrong) wrong.push_back(std::move(c));
  }
  return mend(wrong);
}

Mending Audit::may_mend() {
  if (!rules_.fix) return Mending::kNone;
  if (totals_.mended >= rules_.most_mended) return Mending::kOverLimit;
  ++totals_.mended;
  return rules_.dry_run ? Mending::kWould : Mending::kDone;
}

Result<Mending> Audit::mend_row(const Candidate& c) {
  const Mending mending = may_mend();
  if (mending != Mending::kDone) return mending;
  // False: somebody else removed or changed it, which is as good.
  if (c.problem == AuditProblem::kCopyWithoutBytes) {
    TRY(p_.rows.want_copy_again(p_.store.kind(), c.known));
  } else {
    TRY(p_.rows.remove_variant(p_.store.kind(), c.known.key));
  }
  return mending;
}

Status Audit::mend(const std::vector<Candidate>& wrong) {
  std::vector<AuditFinding> findings;
  std::vector<std::string> orphans;
  std::vector<std::size_t> places;  // of the orphans among the findings
  for (const Candidate& c : wrong) {
    AuditFinding finding{c.problem,          c.known.key,   c.known.attachment_id, c.known.variant,
                         c.known.size_bytes, c.found_bytes, Mending::kNone};
    if (c.problem == AuditProblem::kVariantWithoutBytes || c.problem == AuditProblem::kCopyWithoutBytes) {
      TRY_ASSIGN(finding.mending, mend_row(c));
    } else if (c.problem == AuditProblem::kBytesWithoutRow) {
      finding.mending = may_mend();
      if (finding.mending == Mending::kDone) {
        orphans.push_back(c.known.key);
        places.push_back(findings.size());
      }
    }
    findings.push_back(std::move(finding));
  }
  std::vector<bool> is_told(findings.size(), true);
  if (!orphans.empty()) {
    TRY_ASSIGN(const auto queued, p_.rows.queue_deletions(p_.store.kind(), orphans));
    for (std::size_t i = 0; i < queued.size(); ++i) {
      if (queued[i]) continue;
      is_told[places[i]] = false;  // somebody came to know it since the look
      --totals_.mended;
    }
  }
  for (std::size_t i = 0; i < findings.size(); ++i) {
    if (!is_told[i]) continue;
    ++totals_.problems;
    rules_.tell(findings[i]);
  }
  return Ok{};
}

}  // namespace cloakroom

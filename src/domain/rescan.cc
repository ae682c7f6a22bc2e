// rescan.cc — a step: a few files from where the walk has come to, then a rest that keeps the rate.
#include "domain/rescan.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "domain/virus_scan.h"

namespace cloakroom {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kFilesAStep = 16;
constexpr milliseconds kLongStep{1000};  // then jobs have their turn
constexpr std::chrono::seconds kLookEvery{30};
constexpr std::chrono::seconds kWait{30};   // after a failure
constexpr std::chrono::minutes kLease{90};  // longer than any one file takes: CLAMD_TIMEOUT is at most 60
constexpr int kMostTries = 3;

}  // namespace

Rescan::Rescan(Parts parts, RescanRules rules) : p_(std::move(parts)), rules_(std::move(rules)) {
  if (!rules_.now) rules_.now = [] { return std::chrono::steady_clock::now(); };
}

milliseconds Rescan::until_due() const {
  return std::max(std::chrono::ceil<milliseconds>(next_ - rules_.now()), milliseconds(0));
}

Status Rescan::look() {
  TRY_ASSIGN(signatures_, p_.scanner.signatures());
  is_known_ = true;
  TRY_ASSIGN(const bool begun, p_.walk.begin(signatures_, false));
  if (begun) log(Level::kInfo, "rescan.begun", {{"signatures", signatures_}});
  next_look_ = rules_.now() + kLookEvery;
  return Ok{};
}

Status Rescan::shut_away(const Attachment& row, const std::string& signature) {
  TRY_ASSIGN(const bool is_there, p_.rows.quarantine(row.id));
  if (!is_there) return Ok{};
  ++infected_;
  const std::string id = to_string(row.id);
  log_infected("rescan.infected",
               {.way = "rescan",
                .filename = row.filename,
                .user = row.uploader_id,
                .size_bytes = row.size_bytes,
                .digest = [&row] { return std::optional(row.sha256); },
                .id = id},
               signature);
  return Ok{};
}

Result<Rescan::Scanned> Rescan::scan(const Attachment& row) {
  BlobStore* store = p_.store_of(row.store);
  const auto key = ObjectKey::parse(row.key);
  if (row.size_bytes > rules_.max_bytes || store == nullptr || !key) return Scanned::kSkipped;
  TRY_ASSIGN(const ScanVerdict verdict, p_.scanner.scan([&](ByteSink& sink) {
    return row.size_bytes == 0 ? Status(Ok{}) : store->get(*key, {0, row.size_bytes}, sink);
  }));
  step_bytes_ += row.size_bytes;
  if (verdict.outcome == ScanOutcome::kInfected) TRY(shut_away(row, verdict.name));
  const bool was_seen = verdict.outcome == ScanOutcome::kClean || verdict.outcome == ScanOutcome::kInfected;
  return was_seen ? Scanned::kYes : Scanned::kSkipped;
}

Result<Rescan::Scanned> Rescan::scan_or_skip(const Attachment& row) {
  auto outcome = scan(row);
  if (!outcome && outcome.error().code == Errc::kNotFound) {
    // moved to another store since it was listed, or gone
    TRY_ASSIGN(const auto found, p_.rows.find(row.id, std::nullopt));
    if (!found || (found->attachment.key == row.key && found->attachment.store == row.store)) return Scanned::kSkipped;
    outcome = scan(found->attachment);
  }
  if (outcome || outcome.error().code == Errc::kDatabase) return outcome;
  tries_ = stuck_at_ == row.id ? tries_ + 1 : 1;
  stuck_at_ = row.id;
  if (tries_ < kMostTries || !p_.scanner.ready() || !p_.store_of(row.store)->ready()) return outcome;
  log(Level::kWarning, "rescan.skipped", {{"id", to_string(row.id)}, {"detail", outcome.error().detail}});
  return Scanned::kSkipped;
}

Result<bool> Rescan::do_step() {
  const TimePoint begin = rules_.now();
  if (!is_known_ || begin >= next_look_) TRY(look());
  TRY_ASSIGN(const auto held, p_.walk.hold(signatures_, kLease));
  if (!held) return false;
  TRY_ASSIGN(const std::vector<Attachment> rows, p_.walk.next(*held, kFilesAStep));
  Uuid after = *held;
  std::size_t done = 0;
  Status failed = Ok{};
  for (const Attachment& row : rows) {
    const auto outcome = scan_or_skip(row);
    if (!outcome) {
      failed = outcome.error();
      break;
    }
    after = row.id;
    ++(*outcome == Scanned::kYes ? files_ : skipped_);
    ++done;
    if (rules_.now() - begin > kLongStep) break;
  }
  const bool is_finished = failed && done == rows.size() && rows.size() < kFilesAStep;
  if (done > 0 || is_finished) TRY(p_.walk.advance(signatures_, after, is_finished));
  TRY(failed);
  if (!is_finished) return true;
  log(Level::kInfo, "rescan.done",
      {{"signatures", signatures_}, {"files", files_}, {"infected", infected_}, {"skipped", skipped_}});
  files_ = infected_ = skipped_ = 0;
  return false;
}

void Rescan::step() {
  const TimePoint begin = rules_.now();
  if (begin < next_) return;
  step_bytes_ = 0;
  const auto worked = do_step();
  const TimePoint end = rules_.now();
  if (!worked) {
    next_ = end + kWait;
    if (std::exchange(has_complained_, true)) return;
    log(Level::kWarning, "rescan.waits", {{"detail", worked.error().detail}});
    return;
  }
  has_complained_ = false;
  if (!*worked) {
    next_ = next_look_;
    return;
  }
  const auto by_rate =
      std::chrono::duration<double>(static_cast<double>(step_bytes_) / static_cast<double>(rules_.bytes_per_second));
  const auto took = end - begin;
  next_ = begin + std::max(2 * took, std::chrono::duration_cast<TimePoint::duration>(by_rate));
}

}  // namespace cloakroom

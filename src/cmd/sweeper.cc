// sweeper.cc — ages, and who is asked whether something is still needed.
#include "cmd/sweeper.h"

#include <algorithm>

#include "base/log.h"
#include "storage/s3_leftovers.h"

namespace cloakroom {
namespace {

constexpr std::chrono::hours kLeftOverAge{24};  // no body file is written for as long
constexpr std::chrono::hours kUploadAge{1};  // and no upload to the store takes as long, nor longer than ORPHAN_GRACE
constexpr std::chrono::minutes kSweepEvery{30};
constexpr std::chrono::minutes kTicketsEvery{1};

}  // namespace

Sweeper::Sweeper(const Config& config, const StoreSet& stores, Database& database,
                 std::optional<std::chrono::seconds> older_than)
    : folders_{config.storage_path + "/.tmp", config.body_temp_path},
      file_age_(older_than.value_or(kLeftOverAge)),
      key_prefix_(config.key_prefix),
      upload_age_(older_than.value_or(std::max<std::chrono::seconds>(config.orphan_grace, kUploadAge))),
      direct_age_(older_than.value_or(config.direct_upload_expires + config.orphan_grace)),
      database_(database),
      tickets_(database) {
  for (const S3Set* set : stores.s3_sets()) s3_.push_back(set->store.get());
}

void Sweeper::sweep_when_due() {
  const auto now = std::chrono::steady_clock::now();
  if (now < next_) return;
  next_ = now + kSweepEvery;
  sweep();
}

Sweeper::Found Sweeper::sweep(bool is_rehearsal, const Seen& seen) {
  Found found;
  const auto report = [&](std::string_view what, const Result<std::size_t>& removed) {
    if (!removed) {
      log(Level::kWarning, "sweep.failed", {{"what", what}, {"detail", removed.error().detail}});
      found.is_whole = false;
      return std::size_t{0};
    }
    if (*removed > 0 && !is_rehearsal) log(Level::kInfo, "sweep.done", {{what, *removed}});
    return *removed;
  };
  for (const std::string& folder : folders_) {
    const auto removed = sweep_old_files(folder, file_age_, is_rehearsal, [&](std::string_view name) {
      if (seen) seen(Leftover::kFile, std::string(folder).append("/").append(name));
    });
    const bool no_folder = !removed && removed.error().code == Errc::kNotFound;
    if (!no_folder) found.files += report("files", removed);
  }
  // One that is away does not keep the others from being swept.
  for (S3Store* const store : s3_) found.uploads += report("uploads", abort_uploads(*store, is_rehearsal, seen));
  return found;
}

Result<std::size_t> Sweeper::abort_uploads(S3Store& store, bool is_rehearsal, const Seen& seen) {
  // By the store's clock, which the first call teaches if ours is wrong: a host that is an hour ahead would break off
  // what others are sending.
  TRY(store.ready());
  const TimePoint now = store.client().now();
  const auto is_promised = [this](const Uuid& ticket, std::string_view upload_id) -> Result<bool> {
    database_.begin_request();
    TRY_ASSIGN(const auto known, tickets_.find(ticket));
    return known && known->upload_id == upload_id;
  };
  const auto dropped = [&seen](const S3Upload& upload) {
    if (seen) seen(Leftover::kUpload, upload.key);
  };
  return abort_leftovers(store.client(),
                         {key_prefix_, now - upload_age_, now - direct_age_, is_promised, is_rehearsal, dropped});
}

void TicketSweeper::sweep_when_due() {
  const auto now = std::chrono::steady_clock::now();
  if (now < next_) return;
  next_ = now + kTicketsEvery;
  const auto removed = rows_.clean_up(grace_);
  if (removed && *removed > 0) log(Level::kInfo, "direct_uploads.expired", {{"tickets", *removed}});
  if (!removed) log(Level::kWarning, "direct_uploads.sweep_failed", {{"detail", removed.error().detail}});
}

void RateSweeper::sweep_when_due() {
  const auto now = std::chrono::steady_clock::now();
  if (now < next_) return;
  next_ = now + kTicketsEvery;
  const auto removed = rates_.forget();
  if (!removed) log(Level::kWarning, "rate_limits.sweep_failed", {{"detail", removed.error().detail}});
}

}  // namespace cloakroom

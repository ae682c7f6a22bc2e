// scrub.cc — a file, both sides of it, and what is done about either.
#include "domain/scrub.h"

#include <chrono>
#include <string_view>
#include <utility>

namespace cloakroom {
namespace {

constexpr std::size_t kPage = 100;
constexpr std::chrono::seconds kSaveEvery{5};  // what a kill costs

}  // namespace

Repairs::Took Scrub::took() {
  return [this](std::size_t bytes) {
    state_.totals.bytes += bytes;
    rules_.progress(state_.totals);
    return p_.pace.took(bytes);
  };
}

Status Scrub::save(bool is_finished) {
  if (rules_.is_rehearsal) return Ok{};
  TRY(p_.walk.advance(state_.after, state_.totals, right_, is_finished));
  right_.clear();
  return Ok{};
}

void Scrub::tell_broken(const ScrubFinding& finding) {
  ++state_.totals.broken;
  rules_.tell(finding);
}

Status Scrub::take_time(const Attachment& file) {
  TRY_ASSIGN(const ObjectKey key, ObjectKey::parse(file.key));
  const auto state = p_.local.look(key);
  if (!state || is_as_stored(*state, file)) return Ok{};
  const Status set = p_.local.set_time(key, file.created_at);
  return set || set.error().code == Errc::kNotFound ? Status(Ok{}) : set;
}

// The row is read again: what is gone by now, or lies elsewhere, was rightly not found.
Status Scrub::mend_file(const FileWithCopy& seen, Side side) {
  TRY_ASSIGN(const auto now, p_.copies.find(seen.file.id));
  if (!now || now->file.store != seen.file.store || now->file.key != seen.file.key) return Ok{};
  ScrubFinding finding{.id = seen.file.id, .store = StoreKind::kLocal, .side = side};
  if (!now->place || p_.store_of(now->place->store) == nullptr) {
    tell_broken(finding);
    return Ok{};
  }
  ScrubFinding of_copy{.id = seen.file.id, .store = now->place->store, .is_copy = true};
  if (rules_.is_rehearsal) {
    TRY_ASSIGN(of_copy.side, p_.repairs.look_at_object(*now->place, now->file, took()));
  } else {
    TRY_ASSIGN(const BroughtBack outcome, p_.repairs.bring_back(now->file, *now->place, took()));
    if (outcome == BroughtBack::kRowIsGone) return Ok{};
    of_copy.side = outcome == BroughtBack::kDone          ? Side::kRight
                   : outcome == BroughtBack::kCopyMissing ? Side::kMissing
                                                          : Side::kDamaged;
  }
  if (of_copy.side != Side::kRight) {
    tell_broken(finding);
    rules_.tell(of_copy);
    return Ok{};
  }
  ++state_.totals.repaired;
  finding.mending = rules_.is_rehearsal ? ScrubMending::kWouldRepair : ScrubMending::kRepaired;
  rules_.tell(finding);
  return Ok{};
}

Status Scrub::mend_copy(const FileWithCopy& file, Side side) {
  if (!rules_.is_rehearsal) {
    TRY_ASSIGN(const bool is_same, p_.copies.want_again(file.file.id, *file.place));
    if (!is_same) return Ok{};  // deleted, or copied anew, meanwhile
  }
  ++state_.totals.queued;
  rules_.tell({.id = file.file.id,
               .store = file.place->store,
               .is_copy = true,
               .side = side,
               .mending = rules_.is_rehearsal ? ScrubMending::kWouldQueue : ScrubMending::kQueued});
  return Ok{};
}

Status Scrub::scrub_local(const FileWithCopy& file) {
  TRY_ASSIGN(const Side here, p_.repairs.look_at_file(file.file, took()));
  if (here != Side::kRight) return mend_file(file, here);
  if (!rules_.is_rehearsal) TRY(take_time(file.file));
  if (!file.place) return Ok{};
  if (p_.store_of(file.place->store) == nullptr) {
    ++state_.totals.skipped;
    return Ok{};
  }
  TRY_ASSIGN(const Side there, p_.repairs.look_at_object(*file.place, file.file, took()));
  if (there != Side::kRight) return mend_copy(file, there);
  right_.push_back(file.file.id);
  return Ok{};
}

Status Scrub::scrub_stored(const Attachment& file) {
  TRY_ASSIGN(const Side side, p_.repairs.look_at_object({file.store, file.key}, file, took()));
  if (side == Side::kRight) return Ok{};
  TRY_ASSIGN(const auto now, p_.copies.find(file.id));
  if (!now || now->file.store != file.store || now->file.key != file.key) return Ok{};
  tell_broken({.id = file.id, .store = file.store, .side = side});
  return Ok{};
}

Status Scrub::scrub_file(const FileWithCopy& file) {
  const bool is_local = file.file.store == StoreKind::kLocal;
  if (is_local ? !rules_.is_here(file.file.key) : p_.store_of(file.file.store) == nullptr) {
    ++state_.totals.skipped;
    return Ok{};
  }
  return is_local ? scrub_local(file) : scrub_stored(file.file);
}

// False: asked to stop.
Result<bool> Scrub::scrub_page(std::span<const FileWithCopy> page) {
  auto saved = std::chrono::steady_clock::now();
  for (const FileWithCopy& file : page) {
    if (p_.pace.is_stop_asked()) return false;
    const ScrubTotals before = state_.totals;
    const Status done = scrub_file(file);
    if (!done) {
      state_.totals = before;  // it is read again
      if (p_.pace.is_stop_asked()) return false;
      return done.error();
    }
    state_.after = file.file.id;
    ++state_.totals.files;
    rules_.progress(state_.totals);
    if (std::chrono::steady_clock::now() - saved < kSaveEvery) continue;
    TRY(save(false));
    saved = std::chrono::steady_clock::now();
  }
  return true;
}

Result<bool> Scrub::run() {
  while (true) {
    TRY_ASSIGN(const auto page, p_.walk.next(state_.after, kPage));
    const auto whole = scrub_page(page);
    const bool is_end = whole && *whole && page.size() < kPage;
    // also after a failure: what was read is not read again
    const Status saved = save(is_end);
    if (!whole) return whole.error();
    TRY(saved);
    if (!*whole) return false;
    if (is_end) return true;
  }
}

}  // namespace cloakroom

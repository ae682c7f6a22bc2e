// purge_cache.cc — deletion to cache key, cache key to file, unlink.
#include "jobs/purge_cache.h"

#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/file.h"
#include "base/log.h"
#include "domain/proxy_cache.h"

namespace cloakroom {
namespace {

constexpr std::chrono::minutes kSecondLookEvery{5};
constexpr std::chrono::hours kForgetEvery{1};
constexpr std::chrono::hours kKept{31 * 24};  // nginx itself drops what nobody read for 30 days
// After a mass deletion a look takes its time, and the jobs must have most of the runner. A short one never has to
// wait: nobody would wake the runner for what it left.
constexpr std::uint64_t kLongLook = 10000;  // objects
constexpr int kRest = 10;                   // times as long as the look took

}  // namespace

CachePurger::CachePurger(Deletions& deletions, CachePurgerOptions options)
    : deletions_(deletions), options_(std::move(options)) {
  if (!options_.now) options_.now = [] { return std::chrono::steady_clock::now(); };
  next_again_ = options_.now() + kSecondLookEvery;
}

void CachePurger::complain(const Error& error, bool& complained) {
  if (std::exchange(complained, true)) return;
  log(Level::kWarning, "cache.purge_failed", {{"detail", error.detail}});
}

void CachePurger::remove_copies(const DeletedObject& object) {
  const std::uint64_t files = cache_file_count(object.size_bytes);
  for (std::uint64_t i = 0; i < files; ++i) {
    const auto name = cache_file({options_.instance, object.store, object.key}, object.size_bytes, i);
    if (!name) {
      stuck_ = true;
      return complain(name.error(), told_of_files_);
    }
    const std::string path = options_.folder + "/" + *name;
    if (::unlink(path.c_str()) == 0) {
      ++removed_;
      continue;
    }
    const Error error = errno_error("unlink", path, errno);
    if (error.code == Errc::kNotFound) continue;
    stuck_ = true;
    return complain(error, told_of_files_);  // the other slices would say the same
  }
}

Status CachePurger::look(DeletionMark since) {
  return deletions_.since(since, [this](const DeletedObject& object) {
    ++looked_at_;
    remove_copies(object);
  });
}

// A mark is taken before the list is read: what is committed in between is found again by the next look.
Status CachePurger::look_when_due(TimePoint now) {
  TRY_ASSIGN(const DeletionMark mark, deletions_.mark());
  const bool again = now >= next_again_;
  TRY(look(again ? again_[0] : seen_));
  if (again) {
    again_[0] = std::exchange(again_[1], mark);
    next_again_ = now + kSecondLookEvery;
  } else if (seen_ == 0) {
    again_[0] = again_[1] = mark;
  }
  seen_ = mark;
  return Ok{};
}

Status CachePurger::forget_when_due(TimePoint now) {
  if (now < next_forget_) return Ok{};
  TRY(deletions_.forget(kKept));
  next_forget_ = now + kForgetEvery;
  return Ok{};
}

void CachePurger::purge() {
  const TimePoint begin = options_.now();
  if (begin < next_) return;
  stuck_ = false;
  removed_ = looked_at_ = 0;
  const bool has_cache = ::access(options_.folder.c_str(), F_OK) == 0;
  Status done = has_cache ? look_when_due(begin) : Status(Ok{});
  if (done) done = forget_when_due(begin);  // the list is everybody's, so also by a host without nginx
  if (!done) complain(done.error(), told_of_list_);
  if (done) told_of_list_ = false;
  if (!stuck_ && removed_ > 0) told_of_files_ = false;
  if (removed_ > 0) log(Level::kInfo, "cache.purged", {{"files", removed_}});
  const TimePoint end = options_.now();
  if (looked_at_ > kLongLook) next_ = end + kRest * (end - begin);
}

}  // namespace cloakroom

// runner.cc — the loop of `cloakroom jobs`.
#include "jobs/runner.h"

#include <poll.h>

#include <algorithm>
#include <memory>
#include <random>
#include <utility>

#include "base/log.h"

namespace cloakroom {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr milliseconds kFirstRetry{5000};
constexpr milliseconds kLastRetry{2400000};  // half as much again is an hour
constexpr milliseconds kFirstReconnect{100};
constexpr milliseconds kLastReconnect{5000};
constexpr milliseconds kPause{1000};
constexpr std::size_t kErrorBytes = 500;  // of jobs.last_error

bool is_stopped(int stop_fd, milliseconds within) {
  pollfd one{stop_fd, POLLIN, 0};
  return ::poll(&one, 1, static_cast<int>(within.count())) > 0;
}

// A store's answer may hold any bytes; the column holds text.
std::string plain(std::string_view detail) {
  std::string text(detail.substr(0, kErrorBytes));
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c < 0x20 || c > 0x7e; }, '?');
  return text;
}

std::vector<std::int64_t> ids_from(const std::vector<Job>& jobs, std::size_t first) {
  std::vector<std::int64_t> ids;
  for (std::size_t i = first; i < jobs.size(); ++i) ids.push_back(jobs[i].id);
  return ids;
}

}  // namespace

milliseconds retry_delay(int attempts, double chance) {
  const int doublings = std::clamp(attempts - 1, 0, 20);
  const auto base = std::min(kLastRetry, milliseconds(kFirstRetry.count() << doublings));
  return base + milliseconds(static_cast<std::int64_t>(static_cast<double>(base.count()) * chance / 2));
}

Runner::Runner(JobQueue& queue, JobHandlers handlers, RunnerOptions options)
    : queue_(queue), handlers_(std::move(handlers)), options_(std::move(options)) {
  if (!options_.chance) {
    auto generator = std::make_shared<std::minstd_rand>(std::random_device{}());
    options_.chance = [generator] { return std::uniform_real_distribution<double>(0, 1)(*generator); };
  }
}

// Success: the job is done, or its failure is on record. An error: the queue is away.
Status Runner::run_job(const Job& job) {
  const auto begin = Clock::now();
  const auto handler = handlers_.find(job.kind);
  auto outcome =
      handler != handlers_.end()
          ? handler->second(job)
          : Status(Error{Errc::kInternal, "no handler for this kind of job: is a newer cloakroom also running?"});
  return note(job, outcome, std::chrono::duration_cast<milliseconds>(Clock::now() - begin));
}

Result<std::size_t> Runner::run_together(std::vector<Job>& jobs, std::size_t first) {
  const auto handler = options_.together.find(jobs[first].kind);
  if (handler == options_.together.end()) return std::size_t{0};
  const auto begin = jobs.begin() + static_cast<std::ptrdiff_t>(first);
  const auto end = std::stable_partition(begin, jobs.end(), [&](const Job& job) { return job.kind == handler->first; });
  const std::span<const Job> same(begin, end);
  const auto begun = Clock::now();
  const std::vector<Status> outcomes = handler->second(same);
  if (outcomes.size() != same.size()) BUG("a handler of many jobs did not answer for each");
  const auto took = std::chrono::duration_cast<milliseconds>(Clock::now() - begun);
  Status noted = Ok{};
  for (std::size_t i = 0; i < same.size(); ++i) {  // all of them: what is done must not be forgotten
    Status one = note(same[i], outcomes[i], took);
    if (!one) noted = std::move(one);
  }
  TRY(noted);
  return same.size();
}

Status Runner::note(const Job& job, const Status& outcome, milliseconds took) {
  if (outcome) {
    done_.push_back(job.id);
    log(Level::kInfo, "job.done",
        {{"kind", job.kind}, {"id", job.id}, {"attempts", job.attempts}, {"ms", took.count()}});
    return Ok{};
  }
  if (outcome.error().code == Errc::kStoreAway && job.priority <= kNeedsS3) paused_until_ = Clock::now() + kPause;
  const int failure = outcome.error().retryable ? 0 : 1;
  if (failure > 0 && job.failures + failure >= options_.most_failures) {
    log(Level::kError, "job.dead",
        {{"kind", job.kind}, {"id", job.id}, {"attempts", job.attempts}, {"detail", outcome.error().detail}});
    return queue_.give_up(job.id, plain(outcome.error().detail), failure);
  }
  auto again_in = retry_delay(job.attempts, options_.chance());
  if (const auto longest = options_.longest_retry.find(job.kind); longest != options_.longest_retry.end()) {
    again_in = std::min(again_in, longest->second);
  }
  log(Level::kWarning, "job.failed",
      {{"kind", job.kind},
       {"id", job.id},
       {"attempts", job.attempts},
       {"ms", took.count()},
       {"again_in_ms", again_in.count()},
       {"detail", outcome.error().detail}});
  return queue_.fail(job.id, again_in, plain(outcome.error().detail), failure);
}

Status Runner::give_up_killers(std::vector<Job>& jobs) {
  const auto is_killer = [&](const Job& job) { return job.failures >= options_.most_failures; };
  for (const Job& job : jobs) {
    if (!is_killer(job)) continue;
    log(Level::kError, "job.dead", {{"kind", job.kind}, {"id", job.id}, {"attempts", job.attempts}});
    TRY(queue_.give_up(job.id, "the runners that had it died, or held it for too long", 0));
  }
  std::erase_if(jobs, is_killer);
  return Ok{};
}

Status Runner::settle() {
  TRY(queue_.complete(done_));
  done_.clear();
  return Ok{};
}

Result<std::size_t> Runner::run_batch(int stop_fd) {
  TRY(settle());  // what the last batch could not report
  const auto lease_begin = Clock::now();
  TRY_ASSIGN(auto jobs, queue_.claim(options_.batch_jobs, is_paused() ? kNeedsS3 + 1 : kAnyPriority));
  const std::size_t taken = jobs.size();
  TRY(give_up_killers(jobs));
  std::vector<std::int64_t> untried;
  for (std::size_t i = 0; i < jobs.size();) {
    if (jobs[i].priority <= kNeedsS3 && is_paused()) {
      untried.push_back(jobs[i++].id);
      continue;
    }
    const auto spent = Clock::now() - lease_begin;
    const bool waits_for_urgent = i > 0 && jobs[i].priority < 0 && spent > options_.patience;
    if (is_stopped(stop_fd, milliseconds(0)) || waits_for_urgent || spent > kJobLease / 2) {
      TRY(settle());
      const std::vector<std::int64_t> rest = ids_from(jobs, i);
      untried.insert(untried.end(), rest.begin(), rest.end());
      TRY(queue_.release(untried));
      return i;
    }
    TRY_ASSIGN(const std::size_t together, run_together(jobs, i));
    if (together == 0) TRY(run_job(jobs[i]));
    i += std::max<std::size_t>(together, 1);
  }
  TRY(settle());
  if (!untried.empty()) TRY(queue_.release(untried));
  return taken;
}

void Runner::run(int stop_fd) {
  milliseconds reconnect_in = kFirstReconnect;
  bool lost = false;
  while (!is_stopped(stop_fd, milliseconds(0))) {
    if (options_.housekeeping) options_.housekeeping();
    auto taken = run_batch(stop_fd);
    if (taken && *taken > 0) continue;
    auto sleep = options_.housekeeping_in ? std::min(options_.idle, options_.housekeeping_in()) : options_.idle;
    if (is_paused()) sleep = std::min(sleep, kPause);
    auto waited = taken ? queue_.wait(stop_fd, std::max(sleep, milliseconds(1))) : Result<QueueWait>(taken.error());
    if (waited) {
      if (std::exchange(lost, false)) log(Level::kInfo, "jobs.queue_back", {});
      reconnect_in = kFirstReconnect;
      continue;
    }
    if (!std::exchange(lost, true)) log(Level::kWarning, "jobs.queue_lost", {{"detail", waited.error().detail}});
    if (is_stopped(stop_fd, reconnect_in)) return;
    reconnect_in = std::min(reconnect_in * 2, kLastReconnect);
  }
}

}  // namespace cloakroom

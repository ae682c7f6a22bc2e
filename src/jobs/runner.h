// runner.h — takes jobs in batches, runs the handler of each kind, and sleeps when there are none.
//
// Stop     when `stop_fd` becomes readable: the job in hand (or those run together) is finished, the others of the
//          batch go back untouched.
// Retry    a failed job comes again after 5 s, 10 s, 20 s … 40 min (or less, see longest_retry), plus up to half of
//          that by chance. While somebody else is away (Error::retryable) that has no end: the bytes of a deleted file
//          must not stay because a store was away for long. Failures of its own, most_failures of them, make it a dead
//          letter; so do the deaths of as many runners that had it.
// Urgent   work of low priority (below 0) is given back after `patience`, so that what came meanwhile and is more
//          urgent comes next.
// Pause    once a job that is nothing without S3 (kNeedsS3) found it away, the others are left where they are for a
//          second: a million of them cost no more than one, and all else is done meanwhile.
// Lease    a batch that takes longer than half of kJobLease gives the rest back, so that no job has two runners.
// Away     when the queue is away the runner tries again after 0.1 s … 5 s; what it finished meanwhile it reports then.
// Log      job.done, job.failed and job.dead with kind, id and attempts, never a payload; jobs.queue_lost,
//          jobs.queue_back.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "domain/jobs.h"

namespace cloakroom {

using JobHandler = std::function<Status(const Job&)>;  // an error means: again, later
using JobHandlers = std::map<std::string, JobHandler, std::less<>>;
// For kinds whose jobs cost less together: gets all of them in a batch; one outcome for each, in order.
using JobGroupHandler = std::function<std::vector<Status>(std::span<const Job>)>;
using JobGroupHandlers = std::map<std::string, JobGroupHandler, std::less<>>;

struct RunnerOptions {
  std::size_t batch_jobs = 32;
  std::chrono::milliseconds idle{30000};  // longest sleep without a look at the queue
  std::chrono::milliseconds patience{1000};
  int most_failures = 20;
  std::map<std::string, std::chrono::milliseconds, std::less<>> longest_retry = {};  // by kind, where shorter
  std::function<double()> chance = {};      // 0 <= x < 1; empty: a generator of its own
  JobGroupHandlers together = {};           // asked before the handler of the kind
  std::function<void()> housekeeping = {};  // called between batches, at least every `idle`; empty: nothing
  std::function<std::chrono::milliseconds()> housekeeping_in = {};  // when it is due again; empty: after `idle`
};

// How long to wait after the nth attempt failed (n from 1): 5 s … 1 h.
std::chrono::milliseconds retry_delay(int attempts, double chance);

class Runner {
 public:
  Runner(JobQueue& queue, JobHandlers handlers, RunnerOptions options = {});

  // Until `stop_fd` is readable.
  void run(int stop_fd);
  // One batch; how many jobs were taken. For run(), for tests, and for tools that empty the queue once.
  Result<std::size_t> run_batch(int stop_fd);
  // Whether jobs are left alone for now, as their store is away.
  bool is_paused() const { return std::chrono::steady_clock::now() < paused_until_; }

 private:
  Status run_job(const Job& job);
  // The jobs from `first` on that are of the same kind, if that kind is handled so; how many were run.
  Result<std::size_t> run_together(std::vector<Job>& jobs, std::size_t first);
  Status note(const Job& job, const Status& outcome, std::chrono::milliseconds took);
  // Takes those out that have failed too often without saying why: whoever had them died.
  Status give_up_killers(std::vector<Job>& jobs);
  Status settle();

  JobQueue& queue_;
  JobHandlers handlers_;
  RunnerOptions options_;
  std::vector<std::int64_t> done_;  // finished, and not yet reported to the queue
  std::chrono::steady_clock::time_point paused_until_{};
};

}  // namespace cloakroom

// jobs.h — work to do later, and the queue that runners take it from.
//
// Life     claim() gives a job to one runner for kJobLease; then it is complete()d (gone), fail()ed (again, later),
//          release()d (again, now, as if never taken) or given up (a dead letter, until a sysadmin has it tried again).
//          A runner that dies holds it until the lease is over, and that counts as a failure of the job.
//          So a handler may run twice for one job, and must end in the same state.
// Order    by priority, higher first: deletions 0, pictures and repairs -1, moves and copies -2, which are nothing
//          without S3.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace cloakroom {

inline constexpr std::chrono::minutes kJobLease{5};
inline constexpr int kAnyPriority = std::numeric_limits<int>::min();
inline constexpr int kNeedsS3 = -2;  // a priority, of nothing else

struct Job {
  std::int64_t id = 0;
  std::string kind;     // "delete_object"
  std::string payload;  // JSON
  int attempts = 0;     // with this one: 1 is the first
  int failures = 0;     // of its own, before this attempt
  int priority = 0;
};

// What is in the queue of one kind of jobs.
struct JobKindStatus {
  std::string kind;
  std::uint64_t due = 0;      // nobody is at it yet
  std::uint64_t running = 0;  // or its runner died within the last kJobLease
  std::uint64_t later = 0;    // to be done later, or to be tried again
  std::uint64_t failing = 0;  // of all these: the last attempt failed
  std::uint64_t dead = 0;
  std::chrono::seconds oldest{};  // since one of them should have been done
};

struct DeadJob {
  std::int64_t id = 0;
  std::string kind, error;
  int attempts = 0, failures = 0;
  TimePoint created_at, died_at;
};

// The queue as a sysadmin sees it.
// Errors   kDatabase the queue is away
class JobOverview {
 public:
  virtual ~JobOverview() = default;
  virtual Result<std::vector<JobKindStatus>> by_kind() = 0;         // in alphabetical order; nothing for empty kinds
  virtual Result<std::vector<DeadJob>> dead(std::size_t most) = 0;  // the latest first
  // It, or all of them, are tried again now, as if they were new. How many these were.
  virtual Result<std::uint64_t> retry(std::optional<std::int64_t> id) = 0;
};

enum class QueueWait { kWork, kStopped, kTimeout };

// Errors   kDatabase the queue is away; jobs that were taken stay so until their lease is over.
class JobQueue {
 public:
  virtual ~JobQueue() = default;

  // Up to `most` jobs that are due and of this priority at least, urgent ones first. Never a job that another runner
  // holds.
  virtual Result<std::vector<Job>> claim(std::size_t most, int least_priority) = 0;
  // These four touch only jobs that this runner still holds.
  virtual Status complete(std::span<const std::int64_t> ids) = 0;
  // `failure` 1, or 0 for an outage, which is no fault of the job.
  virtual Status fail(std::int64_t id, std::chrono::milliseconds again_in, std::string_view error, int failure) = 0;
  virtual Status give_up(std::int64_t id, std::string_view error, int failure) = 0;
  virtual Status release(std::span<const std::int64_t> ids) = 0;

  // Sleeps until there may be work (which claim() decides), `stop_fd` is readable, or `most` is over.
  virtual Result<QueueWait> wait(int stop_fd, std::chrono::milliseconds most) = 0;
};

}  // namespace cloakroom

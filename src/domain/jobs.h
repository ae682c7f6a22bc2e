// jobs.h — work to do later, and the queue that runners take it from.
//
// Life     claim() gives a job to one runner for kJobLease; then it is complete()d (gone), fail()ed (again, later) or
//          release()d (again, now, as if never taken). A runner that dies holds it until the lease is over.
//          So a handler may run twice for one job, and must end in the same state.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace cloakroom {

inline constexpr std::chrono::minutes kJobLease{5};

struct Job {
  std::int64_t id = 0;
  std::string kind;     // "delete_object"
  std::string payload;  // JSON
  int attempts = 0;     // with this one: 1 is the first
};

enum class QueueWait { kWork, kStopped, kTimeout };

// Errors   kDatabase the queue is away; jobs that were taken stay so until their lease is over.
class JobQueue {
 public:
  virtual ~JobQueue() = default;

  // Up to `most` jobs that are due, urgent ones first. Never a job that another runner holds.
  virtual Result<std::vector<Job>> claim(std::size_t most) = 0;
  // These three touch only jobs that this runner still holds.
  virtual Status complete(std::span<const std::int64_t> ids) = 0;
  virtual Status fail(std::int64_t id, std::chrono::milliseconds again_in, std::string_view error) = 0;
  virtual Status release(std::span<const std::int64_t> ids) = 0;

  // Sleeps until there may be work (which claim() decides), `stop_fd` is readable, or `most` is over.
  virtual Result<QueueWait> wait(int stop_fd, std::chrono::milliseconds most) = 0;
};

}  // namespace cloakroom

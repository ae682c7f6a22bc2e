// jobs.h — the port JobQueue over the table jobs: SKIP LOCKED to share, LISTEN to wake.
//
// Session  LISTENs on cloakroom_jobs, again after every reconnect. The channel is the database's, not the schema's:
//          another instance's notification costs one claim that finds nothing.
#pragma once

#include <string>

#include "db/pg.h"
#include "domain/jobs.h"

namespace cloakroom {

class PgJobQueue : public JobQueue {
 public:
  // `runner` names this runner in jobs.locked_by: unlike every other, living or dead.
  PgJobQueue(Database& database, std::string runner) : database_(database), runner_(std::move(runner)) {}

  Result<std::vector<Job>> claim(std::size_t most) override;
  Status complete(std::span<const std::int64_t> ids) override;
  Status fail(std::int64_t id, std::chrono::milliseconds again_in, std::string_view error) override;
  Status release(std::span<const std::int64_t> ids) override;
  Result<QueueWait> wait(int stop_fd, std::chrono::milliseconds most) override;

 private:
  Status listen();

  Database& database_;
  std::string runner_;
  std::uint64_t listening_on_ = 0;  // Database::connection_number()
};

}  // namespace cloakroom

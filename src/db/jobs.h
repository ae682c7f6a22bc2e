// jobs.h — the port JobQueue over the table jobs: SKIP LOCKED to share, LISTEN to wake.
//
// Session  LISTENs on cloakroom_jobs, again after every reconnect. The channel is the database's, not the schema's:
//          another instance's notification costs one claim that finds nothing.
// Node     jobs whose payload has a "key" below .kept/ (domain/fallback.h) are for the node whose disk has the file.
#pragma once

#include <string>
#include <vector>

#include "db/pg.h"
#include "domain/jobs.h"

namespace cloakroom {

class PgJobQueue : public JobQueue {
 public:
  // `runner` names this runner in jobs.locked_by: unlike every other, living or dead. `kept_prefix`: of the files on
  // this node's disk; empty: jobs of all nodes are taken.
  PgJobQueue(Database& database, std::string runner, std::string kept_prefix = "")
      : database_(database), runner_(std::move(runner)), kept_prefix_(std::move(kept_prefix)) {}

  Result<std::vector<Job>> claim(std::size_t most, int least_priority) override;
  Status complete(std::span<const std::int64_t> ids) override;
  Status fail(std::int64_t id, std::chrono::milliseconds again_in, std::string_view error, int failure) override;
  Status give_up(std::int64_t id, std::string_view error, int failure) override;
  Status release(std::span<const std::int64_t> ids) override;
  // What uploads promised and did not keep, and what moves left, becomes work when it is due; claim() does it, too. How
  // many jobs it made of promises.
  Result<std::uint64_t> collect_tickets();
  Result<std::uint64_t> count_due_tickets();                       // that it would take
  Result<std::vector<std::string>> due_objects(std::size_t most);  // of them, the oldest first: STORE/KEY
  Result<QueueWait> wait(int stop_fd, std::chrono::milliseconds most) override;

 private:
  Status listen();

  Database& database_;
  std::string runner_;
  std::string kept_prefix_;
  std::uint64_t listening_on_ = 0;  // Database::connection_number()
};

}  // namespace cloakroom

// jobs_test.cc — the queue on a real PostgreSQL and the runner over it: each job once, failures later, stop, restart.
#include <sys/eventfd.h>

#include <atomic>
#include <map>
#include <mutex>
#include <thread>

#include "database.h"
#include "db/job_overview.h"
#include "db/jobs.h"
#include "jobs/delete_object.h"
#include "jobs/runner.h"

namespace {

using namespace db;
using std::chrono::milliseconds;

class StopSignal {
 public:
  int fd() const { return fd_.get(); }
  void raise() { [[maybe_unused]] const auto n = ::write(fd_.get(), "\1\0\0\0\0\0\0\0", 8); }

 private:
  UniqueFd fd_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
};

struct World {
  Database database{options()};
  PgRows rows{database};
  Database queue_database{options()};
  PgJobQueue queue{queue_database, "runner-1"};
  StopSignal stop;
  World() { clear(database); }

  void add(int jobs, const std::string& kind = "test") {
    CHECK_OK(database.run_script("INSERT INTO jobs (kind, payload) SELECT '" + kind +
                                 "', to_jsonb(n) FROM generate_series(1, " + std::to_string(jobs) + ") n"));
  }
  std::string count(const std::string& where = "true") {
    database.begin_request();
    return value(database, "SELECT count(*) FROM jobs WHERE " + where);
  }
};

Status succeed(const Job&) {
  return Ok{};
}

// Waits for what another thread brings about; the test fails by its next check when it never comes.
template <class Condition>
bool eventually(Condition holds, milliseconds within = milliseconds(10000)) {
  const auto end = std::chrono::steady_clock::now() + within;
  while (std::chrono::steady_clock::now() < end) {
    if (holds()) return true;
    std::this_thread::sleep_for(milliseconds(5));
  }
  return false;
}

// A runner in a thread of its own, with its own connection; stopped and joined at the end of its life.
class RunningRunner {
 public:
  RunningRunner(std::string name, JobHandlers handlers)
      : thread_([this, name, h = std::move(handlers)] {
          auto mine = options();
          mine.application_name = "runner-of-" + schema_name();
          Database database(mine);
          PgJobQueue queue(database, name);
          Runner(queue, h, {.batch_jobs = 7}).run(stop_.fd());
        }) {}
  RunningRunner(const RunningRunner&) = delete;
  RunningRunner& operator=(const RunningRunner&) = delete;
  ~RunningRunner() { finish(); }
  void finish() {
    stop_.raise();
    if (thread_.joinable()) thread_.join();
  }

 private:
  StopSignal stop_;
  std::thread thread_;
};

// The session of the runner that looked when the next job is due and now sleeps; empty while there is none.
std::string sleeping_session(World& w) {
  return value(w.database,
               "SELECT coalesce(max(pid)::text, '') FROM pg_stat_activity WHERE application_name = 'runner-of-" +
                   schema_name() +
                   "'"
                   " AND state = 'idle' AND query LIKE '%run_at > now()%'");
}

void a_claimed_job_is_nobody_elses_until_its_lease_is_over() {
  World w;
  w.add(3);
  const auto mine = CHECK_OK(w.queue.claim(2, kAnyPriority));
  CHECK_EQ(mine.size(), 2u);
  CHECK(mine[0].kind == "test" && mine[0].payload == "1" && mine[0].attempts == 1);
  PgJobQueue other(w.database, "runner-2");
  const auto theirs = CHECK_OK(other.claim(10, kAnyPriority));
  CHECK(theirs.size() == 1 && theirs[0].payload == "3");
  CHECK_EQ(w.count("locked_until BETWEEN now() + interval '4 min' AND now() + interval '5 min'"), "3");
  CHECK_OK(w.database.run_script("UPDATE jobs SET locked_until = now() - interval '1 s' WHERE locked_by = 'runner-1'"));
  const auto inherited = CHECK_OK(other.claim(10, kAnyPriority));
  CHECK(inherited.size() == 2 && inherited[0].attempts == 2);
  // Too late: whoever lost the lease no longer decides.
  CHECK_OK(w.queue.complete(std::vector<std::int64_t>{mine[0].id}));
  CHECK_OK(w.queue.fail(mine[1].id, milliseconds(0), "late", 1));
  CHECK_OK(w.queue.give_up(mine[1].id, "late", 1));
  CHECK_EQ(w.count("locked_by = 'runner-2' AND last_error IS NULL"), "3");
}

void urgent_jobs_come_first_then_the_longest_due_and_never_early_ones() {
  World w;
  CHECK_OK(w.database.run_script(
      "INSERT INTO jobs (kind, priority, run_at) VALUES ('late', 0, now()),"
      " ('early', 9, now() + interval '1 min'), ('old', 0, now() - interval '1 h'), ('urgent', 5, now())"));
  const auto jobs = CHECK_OK(w.queue.claim(10, kAnyPriority));
  CHECK_EQ(jobs.size(), 3u);
  CHECK(jobs[0].kind == "urgent" && jobs[1].kind == "old" && jobs[2].kind == "late");
  CHECK_OK(w.database.run_script("INSERT INTO jobs (kind, priority) VALUES ('copy', -2), ('picture', -1)"));
  const auto without_s3 = CHECK_OK(w.queue.claim(10, kNeedsS3 + 1));
  CHECK(without_s3.size() == 1 && without_s3[0].kind == "picture");
}

void a_released_job_is_as_if_never_taken() {
  World w;
  w.add(1);
  const auto taken = CHECK_OK(w.queue.claim(1, kAnyPriority));
  CHECK_OK(w.queue.release(std::vector<std::int64_t>{taken[0].id}));
  const auto again = CHECK_OK(w.queue.claim(1, kAnyPriority));
  CHECK(again.size() == 1 && again[0].id == taken[0].id && again[0].attempts == 1);
}

void a_due_ticket_becomes_a_job_and_its_upload_is_refused() {
  World w;
  const auto a = upload(), b = upload();
  const auto plan = [&](const Attachment& one, int grace) {
    const std::vector<ObjectKey> keys{CHECK_OK(ObjectKey::parse(one.key))};
    return CHECK_OK(w.rows.plan_deletions(one.store, keys, std::chrono::seconds(grace)));
  };
  const auto late = plan(a, 0), early = plan(b, 600);
  const auto taken = CHECK_OK(w.queue.claim(10, kAnyPriority));
  CHECK(taken.size() == 1 && taken[0].kind == "delete_object");
  CHECK(taken[0].payload.find(a.key) != std::string::npos && taken[0].payload.find("local") != std::string::npos);
  CHECK_ERR(w.rows.commit_upload(std::vector<Attachment>{a}, late), Errc::kConflict);
  CHECK_OK(w.rows.commit_upload(std::vector<Attachment>{b}, early));
}

void a_ticket_whose_upload_is_committing_is_left_to_it() {
  World w;
  const auto a = upload();
  const std::vector<ObjectKey> keys{CHECK_OK(ObjectKey::parse(a.key))};
  const auto tickets = CHECK_OK(w.rows.plan_deletions(a.store, keys, std::chrono::seconds(0)));
  CHECK_OK(w.database.begin());
  CHECK_OK(w.rows.commit_upload(std::vector<Attachment>{a}, tickets));
  Database other(options(w.database.schema()));
  PgJobQueue queue(other, "runner-2");
  CHECK(CHECK_OK(queue.claim(10, kAnyPriority)).empty());  // and does not wait
  CHECK_OK(w.database.commit());
  CHECK(CHECK_OK(queue.claim(10, kAnyPriority)).empty());
}

void a_batch_is_done_and_gone_a_failure_comes_back_later_with_its_reason() {
  World w;
  w.add(5);
  Runner runner(w.queue,
                {{"test",
                  [](const Job& job) -> Status {
                    if (job.payload == "3") return Error{Errc::kStore, "the store is \xff away"};
                    return Ok{};
                  }}},
                {.chance = [] { return 0.0; }});
  CHECK_EQ(CHECK_OK(runner.run_batch(w.stop.fd())), 5u);
  CHECK_EQ(w.count(), "1");
  CHECK_EQ(w.count("last_error = 'the store is ? away' AND attempts = 1 AND locked_by IS NULL AND locked_until IS NULL"
                   " AND run_at BETWEEN now() + interval '4 s' AND now() + interval '5 s'"),
           "1");
  CHECK_EQ(CHECK_OK(runner.run_batch(w.stop.fd())), 0u);
  for (int attempt = 2; attempt <= 4; ++attempt) {
    CHECK_OK(w.database.run_script("UPDATE jobs SET run_at = now()"));
    CHECK_EQ(CHECK_OK(runner.run_batch(w.stop.fd())), 1u);
  }
  CHECK_EQ(w.count("attempts = 4 AND run_at BETWEEN now() + interval '38 s' AND now() + interval '40 s'"), "1");
}

void a_job_of_an_unknown_kind_is_kept_for_later() {
  World w;
  w.add(1, "of_the_future");
  Runner runner(w.queue, {{"test", succeed}});
  CHECK_OK(runner.run_batch(w.stop.fd()));
  CHECK_EQ(w.count("last_error LIKE 'no handler%' AND run_at > now()"), "1");
}

void two_runners_share_the_work_and_no_job_is_handled_twice() {
  World w;
  w.add(2000);
  std::mutex guard;
  std::map<std::int64_t, int> handled;
  std::map<std::string, int> by_runner;
  const auto counting = [&](const std::string& name) {
    return JobHandlers{{"test", [&, name](const Job& job) -> Status {
                          const std::lock_guard lock(guard);
                          ++handled[job.id];
                          ++by_runner[name];
                          return Ok{};
                        }}};
  };
  {
    const RunningRunner a("a", counting("a")), b("b", counting("b"));
    CHECK(eventually([&] { return w.count() == "0"; }));
  }
  CHECK_EQ(handled.size(), 2000u);
  for (const auto& [id, times] : handled) CHECK_EQ(times, 1);
  CHECK(by_runner["a"] > 100 && by_runner["b"] > 100);
}

void an_idle_runner_is_woken_by_a_deletion_and_by_a_job_coming_due() {
  World w;
  std::atomic<int> handled{0};
  const JobHandlers handlers{{"delete_object", [&](const Job&) -> Status { return ++handled, Status(Ok{}); }}};
  const RunningRunner runner("a", handlers);
  CHECK(eventually([&] { return !sleeping_session(w).empty(); }));  // for 30 s
  const auto a = put(w.rows, upload());
  CHECK(CHECK_OK(w.rows.remove_unlinked(a.id)));
  CHECK(eventually([&] { return handled == 1; }, milliseconds(5000)));
  const auto b = upload();
  const std::vector<ObjectKey> keys{CHECK_OK(ObjectKey::parse(b.key))};
  const auto later = CHECK_OK(w.rows.plan_deletions(b.store, keys, std::chrono::seconds(600)));
  CHECK_OK(w.rows.hasten_deletions(later));
  CHECK(eventually([&] { return handled == 2; }, milliseconds(5000)));
  const auto soon = CHECK_OK(w.rows.plan_deletions(b.store, keys, std::chrono::seconds(1)));
  CHECK_OK(w.database.run_script("NOTIFY cloakroom_jobs"));  // makes it look; then only its own clock can wake it
  CHECK(eventually([&] { return handled == 3; }, milliseconds(5000)));
}

void a_runner_outlives_its_connection_and_listens_again() {
  World w;
  std::atomic<int> handled{0};
  const JobHandlers handlers{{"delete_object", [&](const Job&) -> Status { return ++handled, Status(Ok{}); }}};
  const RunningRunner runner("a", handlers);
  for (int round = 1; round <= 3; ++round) {
    CHECK(eventually([&] { return !sleeping_session(w).empty(); }));
    const auto old = sleeping_session(w);
    CHECK_EQ(value(w.database, "SELECT pg_terminate_backend(" + old + ", 5000)"), "true");
    // Asleep again, so that only a notification to the new session can wake it in time.
    CHECK(eventually([&] { return !sleeping_session(w).empty() && sleeping_session(w) != old; }));
    const auto a = put(w.rows, upload());
    CHECK(CHECK_OK(w.rows.remove_unlinked(a.id)));
    CHECK(eventually([&] { return handled == round; }, milliseconds(5000)));
  }
}

void a_stop_finishes_the_job_in_hand_and_gives_the_others_back() {
  World w;
  w.add(5);
  Runner runner(w.queue, {{"test", [&](const Job& job) -> Status {
                             if (job.payload == "2") w.stop.raise();
                             return Ok{};
                           }}});
  CHECK_EQ(CHECK_OK(runner.run_batch(w.stop.fd())), 2u);
  CHECK_EQ(w.count(), "3");
  CHECK_EQ(w.count("attempts = 0 AND locked_by IS NULL AND locked_until IS NULL AND run_at <= now()"), "3");
  runner.run(w.stop.fd());  // returns at once
}

void what_was_done_while_the_queue_was_away_is_reported_when_it_is_back() {
  World w;
  w.add(3);
  int handled = 0;
  Runner runner(w.queue, {{"test", [&](const Job&) -> Status {
                             if (++handled == 3) {
                               const auto pid = value(w.queue_database, "SELECT pg_backend_pid()");
                               CHECK_EQ(value(w.database, "SELECT pg_terminate_backend(" + pid + ", 5000)"), "true");
                             }
                             return Ok{};
                           }}});
  CHECK_ERR(runner.run_batch(w.stop.fd()), Errc::kDatabase);
  CHECK_EQ(w.count(), "3");
  CHECK_EQ(CHECK_OK(runner.run_batch(w.stop.fd())), 0u);
  CHECK_EQ(w.count(), "0");
  CHECK_EQ(handled, 3);
}

// The first job of the queue, claimed `times` times and each time left to die with its runner.
void crash_with(World& w, int times) {
  for (int i = 0; i < times; ++i) {
    CHECK_EQ(CHECK_OK(w.queue.claim(1, kAnyPriority)).size(), 1u);
    CHECK_OK(w.database.run_script("UPDATE jobs SET locked_until = now() - interval '1 s'"));
  }
}

void a_lease_that_ran_out_is_a_failure_and_enough_of_them_make_a_dead_letter() {
  World w;
  w.add(1);
  crash_with(w, 3);
  Runner runner(w.queue, {{"test", succeed}}, {.most_failures = 3});
  CHECK_EQ(CHECK_OK(runner.run_batch(w.stop.fd())), 1u);
  CHECK_EQ(w.count(), "0");
  CHECK_EQ(value(w.database, "SELECT last_error || '/' || failures || '/' || attempts FROM dead_jobs"),
           "the runners that had it died, or held it for too long/3/4");
}

void an_outage_is_no_failure_of_the_job() {
  World w;
  w.add(1);
  for (const bool is_outage : {true, true, false}) {
    CHECK_OK(w.database.run_script("UPDATE jobs SET run_at = now()"));
    Runner runner(w.queue,
                  {{"test",
                    [&](const Job&) -> Status {
                      return Error{Errc::kStore, "no", {}, is_outage};
                    }}},
                  {.most_failures = 2});
    CHECK_EQ(CHECK_OK(runner.run_batch(w.stop.fd())), 1u);
  }
  CHECK_EQ(w.count("attempts = 3 AND failures = 1"), "1");
}

void dead_letters_are_listed_with_their_reason_and_tried_again_when_somebody_says_so() {
  World w;
  w.add(3);
  Runner failing(w.queue,
                 {{"test",
                   [](const Job& job) {
                     return Status(Error{Errc::kInternal, "bad " + job.payload});
                   }}},
                 {.most_failures = 1});
  CHECK_EQ(CHECK_OK(failing.run_batch(w.stop.fd())), 3u);
  CHECK_EQ(w.count(), "0");
  CHECK(CHECK_OK(w.queue.claim(10, kAnyPriority)).empty());
  PgJobOverview overview(w.database);
  const auto dead = CHECK_OK(overview.dead(2));
  CHECK_EQ(dead.size(), 2u);
  CHECK(dead[0].kind == "test" && dead[0].error == "bad 3" && dead[0].attempts == 1 && dead[0].failures == 1);
  CHECK_EQ(CHECK_OK(overview.retry(dead[0].id)), 1u);
  CHECK_EQ(CHECK_OK(overview.retry(dead[0].id)), 0u);
  const auto again = CHECK_OK(w.queue.claim(10, kAnyPriority));
  CHECK(again.size() == 1 && again[0].id == dead[0].id && again[0].payload == "3");
  CHECK(again[0].attempts == 2 && again[0].failures == 0);  // not as if nobody ever began it
  CHECK_EQ(CHECK_OK(overview.retry(std::nullopt)), 2u);
  CHECK(CHECK_OK(overview.dead(10)).empty());
}

void the_overview_counts_each_kind() {
  World w;
  CHECK_OK(w.database.run_script(
      "INSERT INTO jobs (kind, run_at, last_error, attempts, begun_at) VALUES ('b', now(), NULL, 0, NULL),"
      " ('a', now() - interval '90 s', NULL, 0, NULL), ('a', now() + interval '1 h', 'x', 3, now() - interval '300 s'),"
      " ('later', now() + interval '7 d', NULL, 0, NULL);"
      " INSERT INTO dead_jobs VALUES (1000000, 'gone', '{}', 0, 1, 1, 'x', now())"));
  CHECK_EQ(CHECK_OK(w.queue.claim(1, kAnyPriority)).size(), 1u);
  const auto kinds = CHECK_OK(PgJobOverview(w.database).by_kind());
  CHECK_EQ(kinds.size(), 4u);
  CHECK(kinds[0].kind == "a" && kinds[0].due == 0 && kinds[0].running == 1 && kinds[0].later == 1);
  CHECK(kinds[0].failing == 1 && kinds[0].oldest >= std::chrono::seconds(300));
  CHECK(kinds[1].kind == "b" && kinds[1].due == 1 && kinds[1].dead == 0);
  CHECK(kinds[2].kind == "gone" && kinds[2].due == 0 && kinds[2].dead == 1);
  CHECK(kinds[3].kind == "later" && kinds[3].later == 1 && kinds[3].oldest == std::chrono::seconds(0));
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      CASE(a_claimed_job_is_nobody_elses_until_its_lease_is_over),
      CASE(urgent_jobs_come_first_then_the_longest_due_and_never_early_ones),
      CASE(a_released_job_is_as_if_never_taken),
      CASE(a_due_ticket_becomes_a_job_and_its_upload_is_refused),
      CASE(a_ticket_whose_upload_is_committing_is_left_to_it),
      CASE(a_batch_is_done_and_gone_a_failure_comes_back_later_with_its_reason),
      CASE(a_job_of_an_unknown_kind_is_kept_for_later),
      CASE(two_runners_share_the_work_and_no_job_is_handled_twice),
      CASE(an_idle_runner_is_woken_by_a_deletion_and_by_a_job_coming_due),
      CASE(a_runner_outlives_its_connection_and_listens_again),
      CASE(a_stop_finishes_the_job_in_hand_and_gives_the_others_back),
      CASE(what_was_done_while_the_queue_was_away_is_reported_when_it_is_back),
      CASE(a_lease_that_ran_out_is_a_failure_and_enough_of_them_make_a_dead_letter),
      CASE(an_outage_is_no_failure_of_the_job),
      CASE(dead_letters_are_listed_with_their_reason_and_tried_again_when_somebody_says_so),
      CASE(the_overview_counts_each_kind),
  };
  return db::run("jobs", tests);
}

// runner_test.cc — the job loop over a queue in memory, the delays between attempts, and the removal of objects.
#include "jobs/runner.h"

#include <fcntl.h>

#include <deque>
#include <map>
#include <stdexcept>
#include <thread>

#include "check.h"
#include "jobs/delete_object.h"

namespace {

using namespace cloakroom;
using std::chrono::milliseconds;
using std::chrono::seconds;

// Gives out what it was given; can be told to be away for the next calls.
struct FakeQueue : JobQueue {
  std::deque<Job> due;
  std::vector<std::int64_t> completed, released, dead;
  int counted = 0;
  std::vector<std::pair<std::int64_t, milliseconds>> failed;
  std::string last_error;
  int away_calls = 0, waits = 0, claims = 0;
  std::map<std::int64_t, Job> taken;
  bool reoffers = false;  // what was released is due again
  milliseconds waited_at_most{0}, waited_first{0};
  std::size_t asked = 0;

  Status come() { return away_calls-- > 0 ? Status(Error{Errc::kDatabase, "away", {}, true}) : Status(Ok{}); }
  Result<std::vector<Job>> claim(std::size_t most, int least_priority) override {
    TRY(come());
    asked = most;
    ++claims;
    std::vector<Job> out;
    for (auto one = due.begin(); one != due.end() && out.size() < most;) {
      if (one->priority < least_priority) {
        ++one;
        continue;
      }
      taken[one->id] = *one;
      out.push_back(*one);
      one = due.erase(one);
    }
    return out;
  }
  Status complete(std::span<const std::int64_t> ids) override {
    if (ids.empty()) return Ok{};
    TRY(come());
    completed.insert(completed.end(), ids.begin(), ids.end());
    return Ok{};
  }
  Status fail(std::int64_t id, milliseconds again_in, std::string_view error, int failure) override {
    TRY(come());
    failed.emplace_back(id, again_in);
    last_error = error;
    counted += failure;
    return Ok{};
  }
  Status give_up(std::int64_t id, std::string_view error, int /*failure*/) override {
    TRY(come());
    dead.push_back(id);
    last_error = error;
    return Ok{};
  }
  Status release(std::span<const std::int64_t> ids) override {
    released.insert(released.end(), ids.begin(), ids.end());
    for (const std::int64_t id : ids) {
      if (reoffers) due.push_back(taken.at(id));
    }
    return Ok{};
  }
  Result<QueueWait> wait(int, milliseconds most) override {
    if (++waits == 1) waited_first = most;
    waited_at_most = most;
    return QueueWait::kStopped;
  }
};

Job job(std::int64_t id, std::string payload = "{}") {
  return {.id = id, .kind = "test", .payload = std::move(payload), .attempts = 1};
}

struct NeverStops {
  int fds[2] = {-1, -1};
  NeverStops() { CHECK_EQ(::pipe2(fds, O_CLOEXEC), 0); }
  NeverStops(const NeverStops&) = delete;
  NeverStops& operator=(const NeverStops&) = delete;
  ~NeverStops() { ::close(fds[0]), ::close(fds[1]); }
  int fd() const { return fds[0]; }
  void stop() { CHECK_EQ(::write(fds[1], "x", 1), 1); }
};

void delays_double_from_five_seconds_to_an_hour() {
  CHECK(retry_delay(1, 0) == seconds(5));
  CHECK(retry_delay(2, 0) == seconds(10));
  CHECK(retry_delay(5, 0) == seconds(80));
  CHECK(retry_delay(1, 0.5) == milliseconds(6250));
  CHECK(retry_delay(1000000, 0) == seconds(2400));
  CHECK(retry_delay(1000000, 0.9999) < seconds(3600));
  CHECK(retry_delay(1000000, 0.9999) > seconds(3599));
}

void a_batch_is_completed_in_one_call_and_failures_are_not_in_it() {
  FakeQueue queue;
  queue.due = {job(1), job(2), job(3)};
  Runner runner(queue, {{"test", [](const Job& j) { return j.id == 2 ? Status(Error{}) : Status(Ok{}); }}},
                {.batch_jobs = 10, .chance = [] { return 0.0; }});
  NeverStops stop;
  CHECK_EQ(CHECK_OK(runner.run_batch(stop.fd())), 3u);
  CHECK_EQ(queue.asked, 10u);
  CHECK((queue.completed == std::vector<std::int64_t>{1, 3}));
  CHECK_EQ(queue.failed.size(), 1u);
  CHECK(queue.failed[0].first == 2 && queue.failed[0].second == seconds(5));
}

void what_needs_a_store_that_is_away_waits_and_all_else_is_done() {
  FakeQueue queue;
  queue.reoffers = true;
  std::vector<std::int64_t> tried;
  NeverStops stop;
  const auto of = [](std::int64_t id, const char* kind, int priority) {
    Job made = job(id);
    made.kind = kind;
    made.priority = priority;
    return made;
  };
  bool is_away = true;
  Runner runner(queue,
                {{"copy",
                  [&](const Job& j) {
                    tried.push_back(j.id);
                    return is_away ? Status(Error{Errc::kStoreAway, "away", {}, true}) : Status(Ok{});
                  }},
                 {"other", [](const Job&) { return Status(Ok{}); }}},
                {.batch_jobs = 3, .housekeeping = [&] {
                   if (queue.waits > 0) stop.stop();
                 }});
  queue.due = {of(1, "copy", kNeedsS3), of(2, "copy", kNeedsS3), of(3, "copy", kNeedsS3), of(4, "copy", kNeedsS3)};
  CHECK_EQ(CHECK_OK(runner.run_batch(stop.fd())), 3u);
  CHECK((tried == std::vector<std::int64_t>{1} && queue.released == std::vector<std::int64_t>{2, 3}));
  CHECK(runner.is_paused());
  for (std::int64_t id = 5; id < 15; ++id) queue.due.push_back(of(id, "other", kNeedsS3 + 1));  // behind the copies
  runner.run(stop.fd());
  CHECK_EQ(queue.completed.size(), 10u);
  CHECK((tried == std::vector<std::int64_t>{1}));  // however often others came
  CHECK_EQ(queue.due.size(), 3u);
  CHECK(queue.waited_first <= seconds(1));  // then the store is asked again
  std::this_thread::sleep_for(milliseconds(1100));
  is_away = false;
  NeverStops another;
  CHECK_EQ(CHECK_OK(runner.run_batch(another.fd())), 3u);
  CHECK_EQ(queue.completed.size(), 13u);
}

void a_kind_may_come_again_sooner_than_the_others() {
  FakeQueue queue;
  queue.due = {job(1), job(2)};
  for (Job& one : queue.due) one.attempts = 9;
  queue.due[1].kind = "hurried";
  const auto fail = [](const Job&) { return Status(Error{}); };
  Runner runner(queue, {{"test", fail}, {"hurried", fail}},
                {.longest_retry = {{"hurried", seconds(15)}}, .chance = [] { return 0.0; }});
  NeverStops stop;
  CHECK_OK(runner.run_batch(stop.fd()));
  CHECK(queue.failed[0].second == seconds(1280) && queue.failed[1].second == seconds(15));
}

void what_could_not_be_reported_is_reported_before_new_work() {
  FakeQueue queue;
  queue.due = {job(1)};
  Runner runner(queue, {{"test", [&](const Job&) { return queue.away_calls = 2, Status(Ok{}); }}});
  NeverStops stop;
  CHECK_ERR(runner.run_batch(stop.fd()), Errc::kDatabase);
  CHECK_ERR(runner.run_batch(stop.fd()), Errc::kDatabase);
  CHECK(queue.completed.empty());
  CHECK_EQ(CHECK_OK(runner.run_batch(stop.fd())), 0u);
  CHECK((queue.completed == std::vector<std::int64_t>{1}));
}

void a_stop_within_a_batch_releases_the_rest() {
  FakeQueue queue;
  queue.due = {job(1), job(2), job(3)};
  NeverStops stop;
  Runner runner(queue, {{"test", [&](const Job&) { return stop.stop(), Status(Ok{}); }}});
  runner.run(stop.fd());
  CHECK((queue.completed == std::vector<std::int64_t>{1}));
  CHECK((queue.released == std::vector<std::int64_t>{2, 3}));
  CHECK_EQ(queue.waits, 0);
}

void a_sleep_ends_when_housekeeping_is_due() {
  for (const auto& [due, slept] :
       {std::pair(milliseconds(700), milliseconds(700)), std::pair(milliseconds(0), milliseconds(1)),  // no busy loop
        std::pair(milliseconds(90000), milliseconds(30000))}) {
    FakeQueue queue;
    NeverStops stop;
    Runner runner(queue, {},
                  {.housekeeping =
                       [&] {
                         if (queue.waits > 0) stop.stop();
                       },
                   .housekeeping_in = [due = due] { return due; }});
    runner.run(stop.fd());
    CHECK_EQ(queue.waited_at_most.count(), slept.count());
  }
}

void errors_are_kept_short_and_printable() {
  FakeQueue queue;
  queue.due = {job(1)};
  Runner runner(queue, {{"test", [](const Job&) {
                           return Status(Error{Errc::kStore, "bad\n\xc3" + std::string(2000, 'x'), {}, false});
                         }}});
  NeverStops stop;
  CHECK_OK(runner.run_batch(stop.fd()));
  CHECK_EQ(queue.last_error.substr(0, 6), "bad??x");
  CHECK(queue.last_error.size() <= 500);
}

void a_job_dies_of_its_own_failures_and_never_of_an_outage() {
  FakeQueue queue;
  queue.due = {job(1), job(2), job(3)};
  queue.due[0].failures = 3;
  queue.due[1].failures = 2;
  queue.due[2].failures = 3;
  Runner runner(queue,
                {{"test",
                  [](const Job& j) -> Status {
                    if (j.id == 3) return Error{Errc::kStoreAway, "away", {}, true};
                    return Error{Errc::kInternal, "the payload is malformed"};
                  }}},
                {.most_failures = 4});
  NeverStops stop;
  CHECK_EQ(CHECK_OK(runner.run_batch(stop.fd())), 3u);
  CHECK((queue.dead == std::vector<std::int64_t>{1}));
  CHECK_EQ(queue.failed.size(), 2u);
  CHECK_EQ(queue.counted, 1);  // of the second one alone
}

void a_job_that_its_runners_died_of_is_not_begun_again() {
  FakeQueue queue;
  queue.due = {job(1), job(2)};
  queue.due[0].failures = 20;
  std::string run;
  Runner runner(queue, {{"test", [&](const Job& j) { return run += std::to_string(j.id), Status(Ok{}); }}});
  NeverStops stop;
  CHECK_EQ(CHECK_OK(runner.run_batch(stop.fd())), 2u);
  CHECK_EQ(run, "2");
  CHECK((queue.dead == std::vector<std::int64_t>{1}));
  CHECK((queue.completed == std::vector<std::int64_t>{2}));
  CHECK(queue.last_error.find("died") != std::string::npos);
}

void long_work_gives_the_rest_of_its_batch_back_for_what_is_more_urgent() {
  for (const int priority : {-2, 0}) {
    FakeQueue queue;
    queue.due = {job(1), job(2), job(3)};
    for (Job& one : queue.due) one.priority = priority;
    Runner runner(queue, {{"test", [](const Job&) { return Status(Ok{}); }}}, {.patience = milliseconds(-1)});
    NeverStops stop;
    CHECK_EQ(CHECK_OK(runner.run_batch(stop.fd())), priority < 0 ? 1u : 3u);
    CHECK_EQ(queue.released.size(), priority < 0 ? 2u : 0u);
  }
}

struct FakeStore : BlobStore {
  std::vector<std::string> removed;
  std::string failing;
  int calls = 0;
  StoreKind kind() const override { return StoreKind::kS3; }
  Status prepare() override { return Ok{}; }
  Status ready() override { return Ok{}; }
  Result<Sha256Digest> put(const ObjectKey&, const FileRange&, const ObjectMeta&) override { return Error{}; }
  Result<ObjectInfo> head(const ObjectKey&) override { return Error{}; }
  Status get(const ObjectKey&, const ByteRange&, ByteSink&) override { return Error{}; }
  Status copy(const ObjectKey&, const ObjectKey&, const ObjectMeta&) override { return Error{}; }
  Status remove(const ObjectKey& key) override {
    removed.push_back(key.str());
    return key.str() == failing ? Status(Error{Errc::kStore, "failing"}) : Status(Ok{});
  }
  std::vector<Status> remove_many(std::span<const ObjectKey> keys) override {
    ++calls;
    return BlobStore::remove_many(keys);
  }
};

Job named(std::int64_t id, const std::string& kind) {
  return {.id = id, .kind = kind, .payload = "{}", .attempts = 1};
}

void jobs_of_a_kind_run_together_and_have_outcomes_of_their_own() {
  FakeQueue queue;
  queue.due = {named(1, "alone"), named(2, "many"), named(3, "alone"), named(4, "many"), named(5, "many")};
  std::string order;
  const auto many = [&](std::span<const Job> jobs) {
    order += "(";
    std::vector<Status> outcomes;
    for (const Job& j : jobs) {
      order += std::to_string(j.id);
      outcomes.push_back(j.id == 4 ? Status(Error{}) : Status(Ok{}));
    }
    order += ")";
    return outcomes;
  };
  const auto alone = [&](const Job& j) { return order += std::to_string(j.id), Status(Ok{}); };
  Runner runner(queue, {{"alone", alone}}, {.chance = [] { return 0.0; }, .together = {{"many", many}}});
  NeverStops stop;
  CHECK_EQ(CHECK_OK(runner.run_batch(stop.fd())), 5u);
  CHECK_EQ(order, "1(245)3");
  CHECK((queue.completed == std::vector<std::int64_t>{1, 2, 5, 3}));
  CHECK_EQ(queue.failed.size(), 1u);
  CHECK_EQ(queue.failed[0].first, 4);
}

void a_stop_before_a_group_releases_it() {
  FakeQueue queue;
  queue.due = {named(1, "alone"), named(2, "many"), named(3, "many")};
  NeverStops stop;
  const auto never = [](std::span<const Job>) -> std::vector<Status> { throw std::runtime_error("ran"); };
  Runner runner(queue, {{"alone", [&](const Job&) { return stop.stop(), Status(Ok{}); }}},
                {.together = {{"many", never}}});
  runner.run(stop.fd());
  CHECK((queue.released == std::vector<std::int64_t>{2, 3}));
}

Status delete_one(const JobGroupHandler& handler, const std::string& payload) {
  const Job one = job(1, payload);
  return handler(std::span(&one, 1)).at(0);
}

void the_objects_named_are_removed_from_the_stores_named_in_one_call_each() {
  FakeStore s3, local;
  s3.failing = "b";
  const auto handler = delete_objects_handler([&](StoreKind kind) { return kind == StoreKind::kS3 ? &s3 : &local; });
  const std::vector<Job> jobs{job(1, R"({"store": "s3", "key": "ab/Ünï \"q\".jpg"})"),
                              job(2, R"({"store": "local", "key": "a"})"), job(3, "{}"),
                              job(4, R"({"store": "s3", "key": "b"})"), job(5, R"({"store": "s3", "key": "c"})")};
  const std::vector<Status> outcomes = handler(jobs);
  CHECK((s3.removed == std::vector<std::string>{"ab/Ünï \"q\".jpg", "b", "c"}));
  CHECK((local.removed == std::vector<std::string>{"a"}));
  CHECK_EQ(s3.calls, 1);
  CHECK_EQ(local.calls, 1);
  CHECK(outcomes[0] && outcomes[1] && !outcomes[2] && !outcomes[3] && outcomes[4]);
  CHECK_EQ(outcomes[3].error().detail, "failing");
}

void a_store_that_is_not_configured_or_a_bad_payload_is_an_error_without_the_key() {
  FakeStore s3;
  const auto handler = delete_objects_handler([&](StoreKind kind) { return kind == StoreKind::kS3 ? &s3 : nullptr; });
  for (const char* payload :
       {R"({"store": "local", "key": "secret"})", R"({"store": "tape", "key": "secret"})", R"({"store": "s3"})", "[]",
        R"({"store": "s3", "key": "../secret"})", R"({"store": "s3", "key": 1})", "secret", ""}) {
    auto outcome = delete_one(handler, payload);
    CHECK(!outcome && outcome.error().detail.find("secret") == std::string::npos);
  }
  CHECK(s3.removed.empty());
  auto away = delete_one(handler, R"({"store": "local", "key": "a"})");
  CHECK(!away && away.error().detail == "the store 'local' is not configured here");
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      CASE(delays_double_from_five_seconds_to_an_hour),
      CASE(a_batch_is_completed_in_one_call_and_failures_are_not_in_it),
      CASE(what_needs_a_store_that_is_away_waits_and_all_else_is_done),
      CASE(a_kind_may_come_again_sooner_than_the_others),
      CASE(what_could_not_be_reported_is_reported_before_new_work),
      CASE(a_stop_within_a_batch_releases_the_rest),
      CASE(a_sleep_ends_when_housekeeping_is_due),
      CASE(errors_are_kept_short_and_printable),
      CASE(a_job_dies_of_its_own_failures_and_never_of_an_outage),
      CASE(a_job_that_its_runners_died_of_is_not_begun_again),
      CASE(long_work_gives_the_rest_of_its_batch_back_for_what_is_more_urgent),
      CASE(jobs_of_a_kind_run_together_and_have_outcomes_of_their_own),
      CASE(a_stop_before_a_group_releases_it),
      CASE(the_objects_named_are_removed_from_the_stores_named_in_one_call_each),
      CASE(a_store_that_is_not_configured_or_a_bad_payload_is_an_error_without_the_key),
  };
  return RUN_TESTS("runner", tests);
}

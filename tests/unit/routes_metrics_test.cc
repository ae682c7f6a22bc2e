// routes_metrics_test.cc — the queue's numbers are for the service alone, and an absent database is no empty queue.
#include "fake/service.h"

using namespace cloakroom;
using namespace cloakroom::fake;

namespace {

struct FakeOverview : JobOverview {
  bool is_away = false;
  Result<std::vector<JobKindStatus>> by_kind() override {
    if (is_away) return Error{Errc::kDatabase, "away", {}, true};
    JobKindStatus one;
    one.kind = "delete_object";
    one.due = 7;
    return std::vector{one};
  }
  Result<std::vector<DeadJob>> dead(std::size_t) override { return std::vector<DeadJob>(); }
  Result<std::uint64_t> retry(std::optional<std::int64_t>) override { return std::uint64_t{0}; }
};

void the_service_reads_them_as_text() {
  Service s;
  FakeOverview overview;
  s.app.jobs = &overview;
  const Answer answer = s.ask("service", "GET /metrics");
  CHECK_EQ(answer.status, 200);
  CHECK_EQ(answer.header("Content-Type"), "text/plain; version=0.0.4; charset=utf-8");
  CHECK(answer.body.find("cloakroom_jobs{kind=\"delete_object\",state=\"due\"} 7\n") != std::string::npos);
}

void users_and_strangers_do_not() {
  Service s;
  FakeOverview overview;
  s.app.jobs = &overview;
  CHECK_EQ(s.ask("alice", "GET /metrics").status, 403);
  CHECK_EQ(s.ask("", "GET /metrics").status, 401);
  CHECK_EQ(s.ask("service", "POST /metrics").status, 405);
}

void an_absent_database_is_a_503() {
  Service s;
  FakeOverview overview;
  overview.is_away = true;
  s.app.jobs = &overview;
  CHECK_EQ(s.ask("service", "GET /metrics").status, 503);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      CASE(the_service_reads_them_as_text),
      CASE(users_and_strangers_do_not),
      CASE(an_absent_database_is_a_503),
  };
  return RUN_TESTS("routes_metrics", tests);
}

// job_metrics_test.cc — the text that Prometheus reads.
#include "domain/job_metrics.h"

#include <vector>

#include "check.h"

using namespace cloakroom;

namespace {

void each_kind_has_its_gauges() {
  const std::vector<JobKindStatus> kinds{{.kind = "delete_object",
                                          .due = 3,
                                          .running = 2,
                                          .later = 1,
                                          .failing = 4,
                                          .dead = 5,
                                          .oldest = std::chrono::seconds(90)}};
  CHECK_EQ(job_metrics(kinds),
           "# HELP cloakroom_jobs Jobs in the table; dead: given up.\n"
           "# TYPE cloakroom_jobs gauge\n"
           "cloakroom_jobs{kind=\"delete_object\",state=\"due\"} 3\n"
           "cloakroom_jobs{kind=\"delete_object\",state=\"running\"} 2\n"
           "cloakroom_jobs{kind=\"delete_object\",state=\"later\"} 1\n"
           "cloakroom_jobs{kind=\"delete_object\",state=\"dead\"} 5\n"
           "# HELP cloakroom_jobs_failing Jobs whose last attempt failed, and that are tried again.\n"
           "# TYPE cloakroom_jobs_failing gauge\n"
           "cloakroom_jobs_failing{kind=\"delete_object\"} 4\n"
           "# HELP cloakroom_jobs_oldest_seconds Since when the oldest job should have been done.\n"
           "# TYPE cloakroom_jobs_oldest_seconds gauge\n"
           "cloakroom_jobs_oldest_seconds{kind=\"delete_object\"} 90\n");
}

void a_kind_cannot_break_a_line() {
  JobKindStatus odd;
  odd.kind = "a\"b\\c\nd";
  CHECK(job_metrics(std::vector{odd}).find("kind=\"a\\\"b\\\\c\\nd\"} 0\n") != std::string::npos);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {CASE(each_kind_has_its_gauges), CASE(a_kind_cannot_break_a_line)};
  return RUN_TESTS("job_metrics", tests);
}

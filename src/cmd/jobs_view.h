// jobs_view.h — what `cloakroom jobs` tells of the queue, and dead letters that are tried again.
//
// Exit     as in commands.h; 1 where there are dead letters, or none of that id
#pragma once

#include <string>

namespace cloakroom {

int run_job_status(bool as_json);
// For Prometheus (domain/job_metrics.h); 0 also where there are dead letters: these are one of its numbers.
int run_job_metrics();
int run_failed_jobs(bool as_json);
// `which`: the id of a job, or "all".
int run_job_retry(const std::string& which);

}  // namespace cloakroom

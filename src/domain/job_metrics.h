// job_metrics.h — the queue as Prometheus reads it.
//
// Shape    the text format, version 0.0.4: cloakroom_jobs{kind="…",state="due|running|later|dead"},
//          cloakroom_jobs_failing{kind="…"}, cloakroom_jobs_oldest_seconds{kind="…"}; all are gauges. A kind without
//          jobs is not there.
#pragma once

#include <span>
#include <string>

#include "domain/jobs.h"

namespace cloakroom {

std::string job_metrics(std::span<const JobKindStatus> kinds);

}  // namespace cloakroom

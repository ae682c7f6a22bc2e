// job_metrics.cc — three gauges.
#include "domain/job_metrics.h"

namespace cloakroom {
namespace {

// https://prometheus.io/docs/instrumenting/exposition_formats/: what a label's value escapes
std::string label(std::string_view value) {
  std::string out;
  for (const char c : value) {
    if (c == '\\' || c == '"') out += '\\';
    out += c == '\n' ? std::string("\\n") : std::string(1, c);
  }
  return out;
}

void head(std::string& out, const std::string& name, const std::string& help) {
  out += "# HELP " + name + " " + help + "\n# TYPE " + name + " gauge\n";
}

void line(std::string& out, const std::string& name, const std::string& labels, std::uint64_t value) {
  out += name + "{" + labels + "} " + std::to_string(value) + "\n";
}

std::string of_kind(const JobKindStatus& one) {
  return "kind=\"" + label(one.kind) + "\"";
}

}  // namespace

std::string job_metrics(std::span<const JobKindStatus> kinds) {
  std::string out;
  head(out, "cloakroom_jobs", "Jobs in the table; dead: given up.");
  for (const JobKindStatus& one : kinds) {
    line(out, "cloakroom_jobs", of_kind(one) + ",state=\"due\"", one.due);
    line(out, "cloakroom_jobs", of_kind(one) + ",state=\"running\"", one.running);
    line(out, "cloakroom_jobs", of_kind(one) + ",state=\"later\"", one.later);
    line(out, "cloakroom_jobs", of_kind(one) + ",state=\"dead\"", one.dead);
  }
  head(out, "cloakroom_jobs_failing", "Jobs whose last attempt failed, and that are tried again.");
  for (const JobKindStatus& one : kinds) line(out, "cloakroom_jobs_failing", of_kind(one), one.failing);
  head(out, "cloakroom_jobs_oldest_seconds", "Since when the oldest job should have been done.");
  for (const JobKindStatus& one : kinds) {
    line(out, "cloakroom_jobs_oldest_seconds", of_kind(one), static_cast<std::uint64_t>(one.oldest.count()));
  }
  return out;
}

}  // namespace cloakroom

// check_front.h — the checks of `cloakroom check --url`: the live instance as a client sees it, nginx and workers
// together.
//
// Why      nginx's own part is written by hand or long ago: a limit that is not ours, a location that lost its
//          `internal`, a site's rule for *.jpg. No program but a client sees these.
// Shape    a table of small functions, each FrontProbe -> Finding; `check` of the Finding is filled in by the table.
// Leaves   nothing: the files it uploads it deletes, whatever fails.
// Errors   none: what cannot be done is a Finding.
#pragma once

#include <functional>
#include <string>

#include "base/config.h"
#include "base/finding.h"
#include "cmd/front_probe.h"

namespace cloakroom {

struct FrontCheckOptions {
  std::string url;  // "http://127.0.0.1:8080"; empty: nothing is asked, and said so
  std::function<bool()> stopped = [] { return false; };  // asked between checks
};
Findings check_front(const Config& config, const FrontCheckOptions& wanted, const Clock& clock);

namespace front_check {

// check_front.cc: need nobody's identity
Finding reach(FrontProbe& probe);
Finding request_size(FrontProbe& probe);
Finding internal(FrontProbe& probe);
Finding static_rules(FrontProbe& probe);

// check_front_files.cc
Finding upload(FrontProbe& probe);
Finding upload_size(FrontProbe& probe);
Finding download(FrontProbe& probe);
Finding range(FrontProbe& probe);
Finding not_modified(FrontProbe& probe);
Finding headers(FrontProbe& probe);
Finding remove(FrontProbe& probe);

// What all of them say things with. "nginx answered 502 (request 9f2c)", or why there is no answer.
std::string told(const Result<HttpAnswer>& answer);
// An answer of ours, by a worker or by our include: JSON with a request id.
bool is_ours(const HttpAnswer& answer);
// Our 413, that of the include or that of a worker.
bool is_too_large(const HttpAnswer& answer);

}  // namespace front_check
}  // namespace cloakroom

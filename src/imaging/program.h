// program.h — runs a program over a file, in a process that has nothing but that file and its result.
//
// Shape    descriptors 0 and 2 nowhere, 1 the result, 3 the file; no other. An environment of ours. Waits for its end.
// Limits   processor time and result as asked for; memory and descriptors as whoever calls has them; imaging/confine
//          for the rest. It dies with whoever called it, so the clock on the wall is that one's; what it has become
//          by then, in a thread, with the process group (imaging/pool).
// Errors   kUndecodable      it said that it cannot; retryable: it died, of the file, of its limits, or of what else
//                            goes on here, or was told to end
//          kUnsupportedType  it could not be started
//          kInternal         there is no process for it
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "base/result.h"
#include "imaging/film_arguments.h"

namespace cloakroom {

struct ProgramRun {
  std::string path;
  Arguments arguments;
  int file = -1, result = -1, nowhere = -1;  // borrowed; the last is /dev/null
  std::chrono::seconds cpu{};  // of all that this process runs, this one included; in the end up to one more
  std::uint64_t result_bytes = 0;
  bool is_confined = true;
};

Status run_program(ProgramRun run);

}  // namespace cloakroom

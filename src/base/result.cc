// result.cc — what happens when an invariant of the program is broken: say where, then stop; systemd starts it again.
#include "base/result.h"

#include <cstdlib>

#include "base/log.h"

namespace cloakroom {

void bug(const char* file, int line, const char* what) {
  log(Level::kError, "bug", {{"file", file}, {"line", line}, {"what", what}});
  std::abort();
}

}  // namespace cloakroom

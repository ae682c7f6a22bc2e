// json_seed_test.cc — nobody can know which keys of an object fall together: jansson's hash has a seed of each
// process's own.
//
// The seed is no part of jansson's interface, so this test is linked with its static library, which Debian builds from
// the same source.
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdint>

#include "base/json.h"
#include "check.h"

extern "C" volatile std::uint32_t hashtable_seed;

using namespace cloakroom;

namespace {

// The seed of a new process, which reads one document as a worker would.
std::uint32_t seed_of_a_process() {
  std::array<int, 2> ends{};
  CHECK_EQ(::pipe(ends.data()), 0);
  const pid_t pid = ::fork();
  if (pid == 0) {
    const bool read = parse_json(R"({"a":1})").has_value();
    const std::uint32_t seed = read ? hashtable_seed : 0;
    ::_exit(::write(ends[1], &seed, sizeof seed) == sizeof seed ? 0 : 1);
  }
  ::close(ends[1]);
  std::uint32_t seed = 0;
  const bool whole = ::read(ends[0], &seed, sizeof seed) == sizeof seed;
  ::close(ends[0]);
  ::waitpid(pid, nullptr, 0);
  CHECK(whole);
  return seed;
}

}  // namespace

static void each_process_has_another_seed() {
  CHECK_EQ(hashtable_seed, 0U);
  const std::uint32_t a = seed_of_a_process(), b = seed_of_a_process(), c = seed_of_a_process();
  CHECK(a != 0 && b != 0 && c != 0);
  CHECK(a != b && b != c && a != c);
}

int main() {
  const CMUnitTest tests[] = {CASE(each_process_has_another_seed)};
  return RUN_TESTS("json_seed", tests);
}

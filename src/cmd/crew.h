// crew.h — several processes that share one piece of work, for a command that is to be faster than one of them.
//
// Life     each member runs `work` and ends with its answer; the parent hears what it said and its exit code. Members
// die
//          with their parent, also when that is killed. They inherit its open connections, which they must not use: so
//          a lock of a PostgreSQL session lasts until the last of them is gone.
// Signals  members have those of the parent blocked; the parent tells them to stop by memory they share.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

#include "base/handle.h"
#include "base/result.h"

namespace cloakroom {

struct MemberAnswer {
  int code = 0;      // exit code; of one that was killed 128 and the signal
  std::string said;  // at most kMostSaid bytes
};

class Crew {
 public:
  static constexpr std::size_t kMostSaid = 2048;

  // `work` gets the number of the member, from 0. REQUIRES: nothing in the caller's buffers of standard output.
  static Result<Crew> start(unsigned members, const std::function<MemberAnswer(unsigned)>& work);
  ~Crew();  // kills who is left
  Crew(Crew&&) noexcept = default;
  Crew& operator=(Crew&&) = delete;

  // Answers of those that ended since the last call; waits no longer than `most` for one.
  std::vector<MemberAnswer> ended(std::chrono::milliseconds most);
  bool is_working() const { return !members_.empty(); }

 private:
  struct Member {
    pid_t pid = 0;
    UniqueFd said;
  };
  Crew() = default;

  std::vector<Member> members_;
};

}  // namespace cloakroom

// crew.cc — fork, a pipe for each, and waiting for all.
#include "cmd/crew.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

#include "base/file.h"

namespace cloakroom {
namespace {

[[noreturn]] void be_member(pid_t parent, int out, const std::function<MemberAnswer()>& work) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);  // it died before that call
  const MemberAnswer answer = work();
  const std::string said = answer.said.substr(0, Crew::kMostSaid);
  [[maybe_unused]] const Status told = write_all(out, std::as_bytes(std::span(said)));
  ::_exit(answer.code);  // what the parent opened is not ours to close
}

MemberAnswer answer_of(int status, int said) {
  MemberAnswer answer;
  answer.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  answer.said.resize(Crew::kMostSaid);
  std::size_t size = 0;
  while (size < answer.said.size()) {
    const ssize_t got = ::read(said, answer.said.data() + size, answer.said.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    size += static_cast<std::size_t>(got);
  }
  answer.said.resize(size);
  return answer;
}

}  // namespace

Result<Crew> Crew::start(unsigned members, const std::function<MemberAnswer(unsigned)>& work) {
  Crew crew;
  const pid_t parent = ::getpid();
  for (unsigned number = 0; number < members; ++number) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return errno_error("make a pipe for", "a process", errno);
    UniqueFd in(ends[0]), out(ends[1]);
    const pid_t pid = ::fork();
    if (pid < 0) return errno_error("start", "a process", errno);
    if (pid == 0) be_member(parent, out.get(), [&] { return work(number); });
    crew.members_.push_back({pid, std::move(in)});
  }
  return crew;
}

Crew::~Crew() {
  for (const Member& member : members_) ::kill(member.pid, SIGKILL);
  for (const Member& member : members_) ::waitpid(member.pid, nullptr, 0);
}

std::vector<MemberAnswer> Crew::ended(std::chrono::milliseconds most) {
  std::vector<pollfd> ends;
  for (const Member& member : members_) ends.push_back({member.said.get(), POLLIN, 0});
  if (::poll(ends.data(), ends.size(), static_cast<int>(most.count())) <= 0) return {};
  std::vector<MemberAnswer> answers;
  std::erase_if(members_, [&](const Member& member) {
    const auto end = std::find_if(ends.begin(), ends.end(), [&](const pollfd& p) { return p.fd == member.said.get(); });
    if (end->revents == 0) return false;
    int status = 0;
    if (::waitpid(member.pid, &status, 0) != member.pid) return false;  // its pipe is at its end, so it ends now
    answers.push_back(answer_of(status, member.said.get()));
    return true;
  });
  return answers;
}

}  // namespace cloakroom

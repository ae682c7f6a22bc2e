// program.cc — fork, put the descriptors where they belong, confine, execute, wait.
#include "imaging/program.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <vector>

#include "base/file.h"
#include "imaging/confine.h"

namespace cloakroom {
namespace {

constexpr int kNotStarted = 127;  // as a shell has it
// ffmpeg catches SIGINT and SIGTERM: its codes at the end after the first of them, and after the fourth.
constexpr std::array kToldToEnd{255, 123};

// Languages, caches and threads of libraries: none of whoever started the service. Arenas cost 64 MiB of addresses
// each.
constexpr std::array kEnvironment{"LC_ALL=C",          "HOME=/nonexistent",      "MALLOC_ARENA_MAX=1",
                                  "OMP_NUM_THREADS=1", "OPENBLAS_NUM_THREADS=1", "AV_LOG_FORCE_NOCOLOR=1"};

std::vector<char*> pointers(const std::vector<std::string>& words) {
  std::vector<char*> all;
  for (const std::string& word : words) all.push_back(const_cast<char*>(word.c_str()));
  all.push_back(nullptr);
  return all;
}

// Copies first, beyond where they go: one may lie where another one is to be.
bool place_descriptors(const ProgramRun& run) {
  const std::array from{run.nowhere, run.result, run.nowhere, run.file};
  std::array<int, 4> high{};
  for (std::size_t i = 0; i < from.size(); ++i) {
    high[i] = ::fcntl(from[i], F_DUPFD_CLOEXEC, static_cast<int>(from.size()));
    if (high[i] < 0) return false;
  }
  for (std::size_t i = 0; i < from.size(); ++i) {
    if (::dup2(high[i], static_cast<int>(i)) < 0) return false;
  }
  return ::close_range(static_cast<unsigned>(from.size()), ~0U, 0) == 0;
}

[[noreturn]] void become(const ProgramRun& run, std::vector<char*> words, std::vector<char*> environment,
                         pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(kNotStarted);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  const bool is_ready = place_descriptors(run) && limit_output(run.result_bytes) && limit_cpu(run.cpu) &&
                        (!run.is_confined || confine_program());
  if (is_ready) ::execve(run.path.c_str(), words.data(), environment.data());
  ::_exit(kNotStarted);
}

// What those before have left. Rounded up, for the limit is in whole seconds.
std::chrono::seconds rest_of(std::chrono::seconds all) {
  rusage before{};
  ::getrusage(RUSAGE_CHILDREN, &before);
  std::chrono::microseconds rest = all;
  for (const timeval& used : {before.ru_utime, before.ru_stime}) {
    rest -= std::chrono::seconds(used.tv_sec) + std::chrono::microseconds(used.tv_usec);
  }
  return std::chrono::ceil<std::chrono::seconds>(rest);
}

std::string name_of(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

}  // namespace

Status run_program(ProgramRun run) {
  run.cpu = rest_of(run.cpu);
  if (run.cpu.count() <= 0) return Error{Errc::kUndecodable, name_of(run.path) + " has no time left", {}, true};
  std::vector<std::string> words{run.path};
  words.insert(words.end(), run.arguments.begin(), run.arguments.end());
  const std::vector<std::string> environment(kEnvironment.begin(), kEnvironment.end());
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return errno_error("start", run.path, errno);
  if (pid == 0) become(run, pointers(words), pointers(environment), parent);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) return errno_error("wait for", run.path, errno);
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return Ok{};
  if (WIFEXITED(status) && WEXITSTATUS(status) == kNotStarted) {
    return Error{Errc::kUnsupportedType, "cannot start '" + run.path + "'"};
  }
  const bool has_died = WIFSIGNALED(status) || std::ranges::count(kToldToEnd, WEXITSTATUS(status)) > 0;
  const std::string end = WIFSIGNALED(status) ? " died: signal " + std::to_string(WTERMSIG(status))
                          : has_died          ? " was told to end"
                                              : " gave up: " + std::to_string(WEXITSTATUS(status));
  return Error{Errc::kUndecodable, name_of(run.path) + end, {}, has_died};
}

}  // namespace cloakroom

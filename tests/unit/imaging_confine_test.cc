// imaging_confine_test.cc — what a process that decodes can still do, and what it cannot. Each case in a child of its
// own.
#include "imaging/confine.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "check.h"
#include "fake/temp_folder.h"

using namespace cloakroom;  // NOLINT: a test
using fake::TempFolder;

namespace {

constexpr int kNotEntered = 200;

int exit_of(const std::function<int()>& body) {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(body());
  int status = 0;
  CHECK_EQ(::waitpid(pid, &status, 0), pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// The exit code of a child that confines itself and then returns step()'s value. The same must come of one that might
// have started a program until it settled.
int confined(const std::function<int()>& step) {
  static const DecoderCage cage = CHECK_OK(DecoderCage::make());
  const int at_once = exit_of([&] {
    if (!cage.enter()) return kNotEntered;
    return step();
  });
  static const DecoderCage with_programs = CHECK_OK(DecoderCage::make(std::array<std::string, 1>{"/bin/true"}));
  const int settled = exit_of([&] {
    if (!with_programs.enter() || !with_programs.settle()) return kNotEntered;
    return step();
  });
  CHECK_EQ(at_once, settled);
  return at_once;
}

// errno of a call when confined, 0 when it went through.
int answer_of(const std::function<long()>& call) {
  return confined([&] { return call() < 0 ? errno : 0; });
}

int limited(const DecoderLimits& limits, const std::function<int()>& step) {
  return exit_of([&] {
    if (!limit_decoder(limits)) return kNotEntered;
    return step();
  });
}

constexpr DecoderLimits kWide{1ULL << 46, 1 << 20, std::chrono::seconds(5), 64};

bool has_landlock() {
  return ::syscall(SYS_landlock_create_ruleset, nullptr, 0, 1 /* version */) >= 1;
}

}  // namespace

static void no_socket_is_made_or_connected() {
  for (const int family : {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_ALG, AF_VSOCK}) {
    CHECK_EQ(answer_of([=]() -> long { return ::socket(family, SOCK_STREAM, 0); }), EPERM);
  }
  int pair[2] = {-1, -1};
  CHECK_EQ(answer_of([&]() -> long { return ::socketpair(AF_UNIX, SOCK_STREAM, 0, pair); }), EPERM);
  const int before = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const auto* to = reinterpret_cast<const sockaddr*>(&address);
  CHECK_EQ(answer_of([&]() -> long { return ::connect(before, to, sizeof address); }), EPERM);
  CHECK_EQ(answer_of([&]() -> long { return ::bind(before, to, sizeof address); }), EPERM);
  CHECK_EQ(answer_of([&]() -> long { return ::listen(before, 1); }), EPERM);
  ::close(before);
}

static void nothing_is_opened_to_be_written() {
  const TempFolder folder;
  const std::string there = folder.write("there", "x");
  const std::string fresh = folder / "new";
  for (const int flags : {O_WRONLY, O_RDWR, O_RDONLY | O_TRUNC, O_RDONLY | O_APPEND}) {
    CHECK_EQ(answer_of([&]() -> long { return ::open(there.c_str(), flags); }), EPERM);
  }
  CHECK_EQ(answer_of([&]() -> long { return ::open(fresh.c_str(), O_RDONLY | O_CREAT, 0600); }), EPERM);
  CHECK_EQ(answer_of([&]() -> long { return ::open(folder.path().c_str(), O_TMPFILE | O_RDWR, 0600); }), EPERM);
  CHECK_EQ(answer_of([&]() -> long { return ::creat(fresh.c_str(), 0600); }), EPERM);
  CHECK_EQ(answer_of([&]() -> long { return ::unlink(there.c_str()); }), EPERM);
  CHECK_EQ(answer_of([&]() -> long { return ::rename(there.c_str(), fresh.c_str()); }), EPERM);
  CHECK_EQ(answer_of([&]() -> long { return ::mkdir(fresh.c_str(), 0700); }), EPERM);
  CHECK_EQ(answer_of([&]() -> long { return ::link(there.c_str(), fresh.c_str()); }), EPERM);
  CHECK_EQ(answer_of([&]() -> long { return ::symlink(there.c_str(), fresh.c_str()); }), EPERM);
  CHECK_EQ(answer_of([&]() -> long { return ::chmod(there.c_str(), 0666); }), EPERM);
  CHECK_EQ(answer_of([&]() -> long { return ::truncate(there.c_str(), 0); }), EPERM);
  CHECK_EQ(answer_of([]() -> long { return ::memfd_create("x", 0); }), EPERM);
  CHECK_EQ(answer_of([&] { return ::syscall(SYS_openat2, AT_FDCWD, there.c_str(), nullptr, 0); }), EPERM);
}

static void files_of_others_are_not_read() {
  if (!has_landlock()) return;
  const TempFolder folder;
  const std::string secret = folder.write("secret", "x");
  for (const std::string& path : {secret, std::string("/etc/passwd"), std::string("/proc/self/environ")}) {
    CHECK_EQ(answer_of([&]() -> long { return ::open(path.c_str(), O_RDONLY); }), EACCES);
  }
  CHECK_EQ(answer_of([]() -> long { return ::open("/usr/bin/env", O_RDONLY); }), 0);
}

static void no_process_is_made_or_reached() {
  char name[] = "/bin/true";
  char* argv[] = {name, nullptr};
  CHECK_EQ(answer_of([&]() -> long { return ::execv(name, argv); }), EPERM);
  CHECK_EQ(answer_of([&]() -> long { return ::syscall(SYS_execveat, AT_FDCWD, name, argv, nullptr, 0); }), EPERM);
  CHECK_EQ(answer_of([]() -> long {
             const pid_t pid = ::fork();
             if (pid == 0) ::_exit(0);
             return pid;
           }),
           EPERM);
  CHECK_EQ(answer_of([] { return ::syscall(SYS_vfork); }), EPERM);
  CHECK_EQ(answer_of([] { return ::syscall(SYS_clone3, nullptr, 0); }), ENOSYS);
  CHECK_EQ(answer_of([]() -> long { return ::kill(::getppid(), 0); }), EPERM);
  CHECK_EQ(answer_of([]() -> long { return ::kill(::getpid(), 0); }), EPERM);
  CHECK_EQ(answer_of([] { return ::syscall(SYS_tgkill, ::getppid(), ::getppid(), 0); }), EPERM);
  CHECK_EQ(answer_of([]() -> long { return ::setpgid(0, 0); }), EPERM);  // its group is what it is ended by
  CHECK_EQ(answer_of([]() -> long { return ::setsid(); }), EPERM);
  CHECK_EQ(answer_of([] { return ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr); }), EPERM);
  CHECK_EQ(answer_of([] { return ::syscall(SYS_process_vm_readv, ::getppid(), nullptr, 0, nullptr, 0, 0); }), EPERM);
  CHECK_EQ(answer_of([] { return ::syscall(SYS_pidfd_open, ::getppid(), 0); }), EPERM);
}

static void the_kernel_sends_no_signals_for_it() {
  int ends[2] = {-1, -1};
  CHECK_EQ(::pipe(ends), 0);
  const int fd = ends[0];
  CHECK_EQ(answer_of([=]() -> long { return ::fcntl(fd, F_GETFL); }), 0);
  CHECK_EQ(answer_of([=]() -> long { return ::fcntl(fd, F_DUPFD_CLOEXEC, 0); }), 0);
  CHECK_EQ(answer_of([=]() -> long { return ::fcntl(fd, F_SETOWN, ::getppid()); }), EPERM);
  CHECK_EQ(answer_of([=]() -> long { return ::fcntl(fd, F_SETSIG, SIGKILL); }), EPERM);
  CHECK_EQ(answer_of([=]() -> long { return ::fcntl(fd, F_SETFL, O_ASYNC); }), EPERM);
  CHECK_EQ(answer_of([=]() -> long { return ::fcntl(fd, F_SETLEASE, F_RDLCK); }), EPERM);
  CHECK_EQ(answer_of([=]() -> long { return ::fcntl(fd, F_NOTIFY, DN_MODIFY); }), EPERM);
  CHECK_EQ(answer_of([=] { return ::syscall(SYS_fcntl, fd, std::uint64_t{F_SETOWN} | 1ULL << 32, ::getppid()); }),
           EPERM);
  ::close(ends[0]);
  ::close(ends[1]);
}

static void nothing_can_be_taken_back() {
  const rlimit wide{RLIM_INFINITY, RLIM_INFINITY};
  CHECK_EQ(answer_of([&]() -> long { return ::setrlimit(RLIMIT_CORE, &wide); }), EPERM);
  CHECK_EQ(answer_of([]() -> long { return ::prctl(PR_SET_DUMPABLE, 1); }), EPERM);
  CHECK_EQ(answer_of([]() -> long { return ::prctl(PR_SET_PDEATHSIG, 0); }), EPERM);
  CHECK_EQ(answer_of([]() -> long { return ::setuid(1); }), EPERM);
  CHECK_EQ(answer_of([]() -> long { return ::unshare(CLONE_NEWUSER); }), EPERM);
  CHECK_EQ(answer_of([] { return ::syscall(SYS_io_uring_setup, 1, nullptr); }), EPERM);
  CHECK_EQ(answer_of([] { return ::syscall(SYS_bpf, 0, nullptr, 0); }), EPERM);
  CHECK_EQ(answer_of([] { return ::syscall(SYS_userfaultfd, 0); }), EPERM);
}

static void memory_is_never_executed() {
  const auto map = [](int protection) {
    return answer_of([=]() -> long {
      return ::mmap(nullptr, 4096, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0;
    });
  };
  CHECK_EQ(map(PROT_READ | PROT_WRITE), 0);
  CHECK_EQ(map(PROT_READ | PROT_EXEC), EPERM);
  CHECK_EQ(answer_of([]() -> long {
             void* at = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
             return ::mprotect(at, 4096, PROT_READ | PROT_EXEC);
           }),
           EPERM);
}

static void threads_and_an_end_are_left() {
#ifndef SANITIZED  // its check of objects asks the kernel what is refused here
  CHECK_EQ(confined([] {
             int seen = 1;
             std::thread([&] { seen = 0; }).join();
             return seen;
           }),
           0);
#endif
  CHECK_EQ(confined([] {
             ::signal(SIGABRT, SIG_DFL);
             ::abort();
             return 0;
           }),
           128 + SIGABRT);
}

static void memory_output_time_and_descriptors_have_their_limits() {
  const TempFolder folder;
  const std::string file = folder.write("out", "");
  CHECK_EQ(limited({1ULL << 46, 1000, std::chrono::seconds(5), 64},
                   [&] {
                     ::signal(SIGXFSZ, SIG_IGN);
                     const int fd = ::open(file.c_str(), O_WRONLY);
                     const std::string block(2000, 'x');
                     return ::write(fd, block.data(), block.size()) == 1000 && ::write(fd, "x", 1) < 0 ? 0 : errno;
                   }),
           0);
  CHECK_EQ(limited({1ULL << 46, 1000, std::chrono::seconds(5), 8}, [] { return ::dup2(1, 8) < 0 ? errno : 0; }), EBADF);
#ifndef SANITIZED
  CHECK_EQ(limited({1ULL << 28, 1000, std::chrono::seconds(5), 64},
                   [] {
                     return ::mmap(nullptr, 1ULL << 28, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED
                                ? errno
                                : 0;
                   }),
           ENOMEM);
#endif
  CHECK_EQ(limited({1ULL << 46, 1000, std::chrono::seconds(1), 64},
                   [] {
                     while (::getpid() > 0) continue;
                     return 0;
                   }),
           128 + SIGKILL);
  CHECK_EQ(limited(kWide,
                   [] {
                     rlimit core{};
                     ::getrlimit(RLIMIT_CORE, &core);
                     return core.rlim_max == 0 ? 0 : 1;
                   }),
           0);
}

int main() {
  const CMUnitTest tests[] = {
      CASE(no_socket_is_made_or_connected),
      CASE(nothing_is_opened_to_be_written),
      CASE(files_of_others_are_not_read),
      CASE(no_process_is_made_or_reached),
      CASE(the_kernel_sends_no_signals_for_it),
      CASE(nothing_can_be_taken_back),
      CASE(memory_is_never_executed),
      CASE(threads_and_an_end_are_left),
      CASE(memory_output_time_and_descriptors_have_their_limits),
  };
  return RUN_TESTS("imaging_confine", tests);
}

// sandbox_test.cc — what a process in the sandbox can still do, and what answers EPERM. Each case in a child of its
// own.
#include "base/sandbox.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
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

// The exit code of a child that enters the sandbox with these folders and then returns step()'s value.
int in_sandbox(const std::vector<std::string>& folders, const std::function<int()>& step) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    if (!enter_sandbox(folders)) ::_exit(kNotEntered);
    ::_exit(step());
  }
  int status = 0;
  CHECK_EQ(::waitpid(pid, &status, 0), pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// errno of a call in the sandbox, 0 when it went through.
int answer_of(const std::function<long()>& call) {
  return in_sandbox({}, [&] { return call() < 0 ? errno : 0; });
}

bool has_landlock() {
  return ::syscall(SYS_landlock_create_ruleset, nullptr, 0, 1 /* version */) >= 2;
}

std::string status_line(const char* name) {
  const UniqueFd fd = CHECK_OK(open_file("/proc/self/status", O_RDONLY));
  std::string text(16384, '\0');
  text.resize(CHECK_OK(read_at(fd.get(), std::as_writable_bytes(std::span(text)), 0)));
  const std::size_t at = text.find(std::string(name) + ":\t");
  const std::size_t from = text.find('\t', at) + 1;
  return text.substr(from, text.find('\n', from) - from);
}

void no_privilege_is_left() {
  const int wrong = in_sandbox({}, [] {
    for (const char* set : {"CapInh", "CapPrm", "CapEff", "CapAmb"}) {
      if (status_line(set) != "0000000000000000") return 1;
    }
    if (::geteuid() != 0 && status_line("NoNewPrivs") != "1") return 2;
    return status_line("NoNewPrivs") == "1" && status_line("Seccomp") == "2" ? 0 : 3;
  });
  CHECK_EQ(wrong, 0);
}

void roots_bounding_set_is_emptied() {
  if (::geteuid() != 0) return;  // an ordinary user may not; NoNewPrivileges keeps him from using it
  CHECK_EQ(in_sandbox({}, [] { return status_line("CapBnd") == "0000000000000000" ? 0 : 1; }), 0);
}

void no_program_is_executed() {
  char name[] = "/bin/true";
  char* argv[] = {name, nullptr};
  CHECK_EQ(answer_of([&]() -> long { return ::execv(name, argv); }), EPERM);
  CHECK_EQ(answer_of([&]() -> long { return ::syscall(SYS_execveat, AT_FDCWD, name, argv, nullptr, 0); }), EPERM);
}

void the_list_of_refusals_is_refused() {
  CHECK_EQ(answer_of([] { return ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr); }), EPERM);
  CHECK_EQ(answer_of([]() -> long { return ::mount("none", "/mnt", "tmpfs", 0, nullptr); }), EPERM);
  CHECK_EQ(answer_of([]() -> long { return ::umount2("/proc", MNT_DETACH); }), EPERM);
  CHECK_EQ(answer_of([]() -> long { return ::chroot("/"); }), EPERM);
  CHECK_EQ(answer_of([]() -> long { return ::unshare(CLONE_NEWUSER); }), EPERM);
  CHECK_EQ(answer_of([] { return ::syscall(SYS_setns, 0, 0); }), EPERM);
  CHECK_EQ(answer_of([] { return ::syscall(SYS_bpf, BPF_MAP_CREATE, nullptr, 0); }), EPERM);
  CHECK_EQ(answer_of([] { return ::syscall(SYS_perf_event_open, nullptr, 0, -1, -1, 0); }), EPERM);
  CHECK_EQ(answer_of([] { return ::syscall(SYS_init_module, nullptr, 0, ""); }), EPERM);
  CHECK_EQ(answer_of([] { return ::syscall(SYS_finit_module, 0, "", 0); }), EPERM);
  CHECK_EQ(answer_of([] { return ::syscall(SYS_io_uring_setup, 1, nullptr); }), EPERM);
  CHECK_EQ(answer_of([] { return ::syscall(SYS_userfaultfd, 0); }), EPERM);
  CHECK_EQ(answer_of([] { return ::syscall(SYS_keyctl, 0, 0); }), EPERM);
  CHECK_EQ(answer_of([] { return ::syscall(SYS_process_vm_readv, ::getppid(), nullptr, 0, nullptr, 0, 0); }), EPERM);
  CHECK_EQ(answer_of([]() -> long { return ::setuid(1); }), EPERM);
  CHECK_EQ(answer_of([]() -> long { return ::prctl(PR_SET_DUMPABLE, 1); }), EPERM);
  // the kernel looks at the lower half alone, so a filter of the whole register would be passed by
  CHECK_EQ(answer_of([] { return ::syscall(SYS_prctl, (1UL << 40) | PR_SET_DUMPABLE, 1, 0, 0, 0); }), EPERM);
  CHECK_EQ(answer_of([] { return ::syscall(SYS_socket, (1UL << 40) | AF_PACKET, SOCK_RAW, 0); }), EAFNOSUPPORT);
}

void no_new_namespace_by_clone() {
  const auto clone = [](unsigned long flags) {
    return answer_of([flags] {
      const long pid = ::syscall(SYS_clone, flags | SIGCHLD, nullptr, nullptr, nullptr, nullptr);
      if (pid == 0) ::_exit(0);
      return pid;
    });
  };
  CHECK_EQ(clone(0), 0);
  for (const int flag : {CLONE_NEWUSER, CLONE_NEWNS, CLONE_NEWNET, CLONE_NEWPID, CLONE_NEWIPC, CLONE_NEWUTS})
    CHECK_EQ(clone(static_cast<unsigned long>(flag)), EPERM);
  CHECK_EQ(answer_of([] { return ::syscall(SYS_clone3, nullptr, 0); }), ENOSYS);
}

void sockets_are_of_the_families_we_speak() {
  const auto open_socket = [](int family, int type = SOCK_STREAM) {
    return answer_of([=]() -> long { return ::socket(family, type, 0); });
  };
  CHECK_EQ(open_socket(AF_UNIX), 0);
  CHECK_EQ(open_socket(AF_INET), 0);
  CHECK_EQ(open_socket(AF_NETLINK, SOCK_RAW), 0);
  for (const int family : {AF_PACKET, AF_ALG, AF_VSOCK, AF_BLUETOOTH, AF_TIPC, AF_CAN, AF_XDP, 64, 1000})
    CHECK_EQ(open_socket(family, SOCK_RAW), EAFNOSUPPORT);
}

void signals_reach_ourselves_alone() {
  CHECK_EQ(answer_of([]() -> long { return ::kill(::getppid(), 0); }), EPERM);
  CHECK_EQ(answer_of([] { return ::syscall(SYS_tgkill, ::getppid(), ::getppid(), 0); }), EPERM);
  CHECK_EQ(in_sandbox({},
                      [] {
                        ::signal(SIGABRT, SIG_DFL);
                        ::abort();
                        return 0;
                      }),
           128 + SIGABRT);
}

void memory_is_never_written_and_executed() {
  const auto map = [](int protection) {
    return answer_of([=]() -> long {
      void* at = ::mmap(nullptr, 4096, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      return at == MAP_FAILED ? -1 : 0;
    });
  };
  CHECK_EQ(map(PROT_READ | PROT_WRITE), 0);
  CHECK_EQ(map(PROT_READ | PROT_WRITE | PROT_EXEC), EPERM);
  CHECK_EQ(answer_of([]() -> long {
             void* at = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
             return ::mprotect(at, 4096, PROT_READ | PROT_EXEC);
           }),
           EPERM);
}

void threads_and_libraries_still_work() {  // libcurl's resolver needs both
  CHECK_EQ(in_sandbox({},
                      [] {
                        int seen = 1;
                        std::thread([&] { seen = 0; }).join();
                        return seen;
                      }),
           0);
  CHECK_EQ(in_sandbox({},
                      [] {
                        return ::dlopen("libnss_files.so.2", RTLD_NOW) != nullptr ||
                                       ::dlopen("libm.so.6", RTLD_NOW) != nullptr
                                   ? 0
                                   : 1;
                      }),
           0);
}

// As in a service whose unit allows less than we ask for: systemd 252 knows no group with these calls.
void refuse_from_outside(const std::vector<unsigned>& calls) {
  std::vector<sock_filter> program{BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr))};
  for (const unsigned call : calls) {
    program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1));
    program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM));
  }
  program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  const sock_fprog whole{static_cast<unsigned short>(program.size()), program.data()};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &whole) != 0)
    ::_exit(kNotEntered);
}

int under_a_filter(const std::vector<unsigned>& calls, bool has_capabilities) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    if (!has_capabilities && !give_up_privileges()) ::_exit(kNotEntered);
    refuse_from_outside(calls);
    const auto folders = enter_sandbox({});
    if (!folders) ::_exit(1);
    ::_exit(*folders ? 2 : ::unshare(CLONE_NEWUTS) != 0 && errno == EPERM ? 0 : 3);
  }
  int status = 0;
  CHECK_EQ(::waitpid(pid, &status, 0), pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void a_tighter_sandbox_around_it_is_no_hindrance() {
  CHECK_EQ(under_a_filter({SYS_seccomp, SYS_capset, SYS_landlock_create_ruleset}, false), 0);
}

void capabilities_that_cannot_be_dropped_are_a_fault() {
  if (::geteuid() != 0) return;  // an ordinary user has none
  CHECK_EQ(under_a_filter({SYS_capset, SYS_landlock_create_ruleset}, true), 1);
}

// --- folders
// ----------------------------------------------------------------------------------------------------------

int write_to(const std::string& path) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT, 0600);
  return fd < 0 ? errno : 0;
}

void bytes_are_written_in_its_folders_alone() {
  if (!has_landlock()) return;
  const TempFolder mine, other;
  other.write("there", "x");
  const auto inside = [&](const std::function<int()>& step) { return in_sandbox({mine.path()}, step); };
  CHECK_EQ(inside([&] { return write_to(mine / "new"); }), 0);
  CHECK_EQ(inside([&] { return write_to(other / "new"); }), EACCES);
  CHECK_EQ(inside([&] { return write_to(other / "there"); }), EACCES);
  CHECK_EQ(inside([&] { return write_to(mine / "../new"); }), EACCES);
  CHECK_EQ(inside([&] { return ::unlink((other / "there").c_str()) == 0 ? 0 : errno; }), EACCES);
  CHECK_EQ(inside([&] { return ::mkdir((other / "d").c_str(), 0700) == 0 ? 0 : errno; }), EACCES);
  CHECK_EQ(inside([&] { return ::rename((mine / "new").c_str(), (other / "new").c_str()) == 0 ? 0 : errno; }), EACCES);
  CHECK_EQ(inside([&] { return ::symlink("/etc/passwd", (mine / "link").c_str()) == 0 ? 0 : errno; }), EACCES);
  CHECK_EQ(inside([&] { return ::open((other / "there").c_str(), O_RDONLY) < 0 ? errno : 0; }), 0);
}

void the_stores_steps_work_across_its_folders() {
  const TempFolder files, bodies;
  bodies.write("0000000001", "body");
  CHECK_EQ(in_sandbox({files.path(), bodies.path()},
                      [&] {
                        if (::mkdir((files / ".tmp").c_str(), 0700) != 0) return 1;
                        if (::link((bodies / "0000000001").c_str(), (files / ".tmp/a").c_str()) != 0) return 2;
                        if (::mkdir((files / "3f").c_str(), 0700) != 0) return 3;
                        if (::rename((files / ".tmp/a").c_str(), (files / "3f/a").c_str()) != 0) return 4;
                        if (::open(bodies.path().c_str(), O_TMPFILE | O_RDWR, 0600) < 0) return 5;
                        if (::truncate((files / "3f/a").c_str(), 1) != 0) return 6;
                        return ::unlink((files / "3f/a").c_str()) == 0 && ::rmdir((files / "3f").c_str()) == 0 ? 0 : 7;
                      }),
           0);
}

void a_folder_that_is_not_there_yet_can_be_made() {
  const TempFolder files;
  CHECK_EQ(in_sandbox({files / "not/yet"}, [&] { return ::mkdir((files / "not").c_str(), 0700) == 0 ? 0 : errno; }), 0);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      CASE(no_privilege_is_left),
      CASE(roots_bounding_set_is_emptied),
      CASE(no_program_is_executed),
      CASE(the_list_of_refusals_is_refused),
      CASE(no_new_namespace_by_clone),
      CASE(sockets_are_of_the_families_we_speak),
      CASE(signals_reach_ourselves_alone),
      CASE(memory_is_never_written_and_executed),
      CASE(threads_and_libraries_still_work),
      CASE(a_tighter_sandbox_around_it_is_no_hindrance),
      CASE(capabilities_that_cannot_be_dropped_are_a_fault),
      CASE(bytes_are_written_in_its_folders_alone),
      CASE(the_stores_steps_work_across_its_folders),
      CASE(a_folder_that_is_not_there_yet_can_be_made),
  };
  return RUN_TESTS("sandbox", tests);
}

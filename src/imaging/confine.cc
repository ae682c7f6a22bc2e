// confine.cc — resource limits, Landlock's rules for reading, and the list of allowed system calls.
#include "imaging/confine.h"

#include <fcntl.h>
#include <link.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "base/file.h"
#include "base/handle.h"
#include "base/sandbox.h"

namespace cloakroom {
namespace {

Error refused(std::string_view what, int number) {
  return Error{Errc::kInternal,
               "sandbox: " + errno_error(what, "decoder", number).detail + "; SANDBOX=off goes without it"};
}

// --- reading

// Tables of fontconfig, colour profiles, modules of libraries. Nobody keeps secrets there.
constexpr std::array kReadable{"/usr", "/lib", "/etc/fonts", "/var/cache/fontconfig"};
constexpr const char* kLoaderTable = "/etc/ld.so.cache";  // where the libraries of a program are

// The loader of programs, which starts whatever is linked as we are: ours.
std::string program_loader() {
  std::string path;
  ::dl_iterate_phdr(
      [](dl_phdr_info* object, std::size_t, void* found) {
        for (const ElfW(Phdr) & part : std::span(object->dlpi_phdr, object->dlpi_phnum)) {
          // NOLINTNEXTLINE(performance-no-int-to-ptr): this is where the linker says it is
          if (part.p_type == PT_INTERP)
            *static_cast<std::string*>(found) = reinterpret_cast<const char*>(object->dlpi_addr + part.p_vaddr);
        }
        return 1;  // the first object is the program
      },
      &path);
  return path;
}

Status allow_beneath(int rules, const UniqueFd& place, std::uint64_t access) {
  landlock_path_beneath_attr beneath{};
  beneath.allowed_access = access;
  beneath.parent_fd = place.get();
  if (::syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) == 0) return Ok{};
  return refused("make rules of folders for", errno);
}

// No descriptor: this kernel has no Landlock.
Result<UniqueFd> rules_of_reading(std::span<const std::string> programs) {
  const long version = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (version < 1) return UniqueFd();
  constexpr std::uint64_t kReads = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
  landlock_ruleset_attr attributes{};
  attributes.handled_access_fs = kReads | LANDLOCK_ACCESS_FS_EXECUTE;
  UniqueFd rules(static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0)));
  if (!rules) return refused("make rules of folders for", errno);
  for (const char* folder : kReadable) {
    const auto fd = open_file(folder, O_PATH | O_DIRECTORY);
    if (!fd) continue;
    TRY(allow_beneath(rules.get(), *fd, kReads));
  }
  std::vector<std::string> files(programs.begin(), programs.end());
  if (!programs.empty()) files.insert(files.end(), {program_loader(), kLoaderTable});
  for (const std::string& path : files) {
    const auto fd = open_file(path, O_PATH);
    if (!fd) continue;
    const std::uint64_t runs = path == kLoaderTable ? 0 : LANDLOCK_ACCESS_FS_EXECUTE;
    TRY(allow_beneath(rules.get(), *fd, LANDLOCK_ACCESS_FS_READ_FILE | runs));
  }
  return rules;
}

// --- system calls

// What libc, glib, libvips and the libraries below it were seen to make over the corpus of tests (strace), and what
// their sources say they make on other paths. A name that this libseccomp does not know yet is passed over.
constexpr std::array kAllowed{
    // bytes of descriptors that it has
    "read", "pread64", "readv", "preadv", "write", "pwrite64", "writev", "pwritev", "lseek", "close", "fstat", "poll",
    "ppoll", "dup", "dup2", "dup3", "accept4", "recvmsg", "sendmsg", "sendto",
    // names: to look, not to touch
    "stat", "lstat", "newfstatat", "statx", "access", "faccessat", "faccessat2", "readlink", "readlinkat", "getdents64",
    "statfs", "fstatfs", "getcwd",
    // memory
    "brk", "munmap", "mremap", "madvise",
    // threads and time
    "futex", "set_robust_list", "get_robust_list", "rseq", "set_tid_address", "membarrier", "sched_yield",
    "sched_getaffinity", "sched_getparam", "sched_getscheduler", "clock_gettime", "clock_getres", "clock_nanosleep",
    "nanosleep", "gettimeofday", "time", "gettid", "getpid", "getppid", "getuid", "geteuid", "getgid", "getegid",
    "uname", "sysinfo", "getrusage", "getrandom", "times", "getcpu",
    // signals of its own
    "setitimer", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack", "restart_syscall",
    // the end
    "exit", "exit_group"};

// More, for who may start a program, and for what ffmpeg and ffprobe call before and beside their work (strace).
constexpr std::array kAllowedToStart{"execve",  "wait4",      "memfd_create", "ftruncate", "close_range", "setrlimit",
                                     "seccomp", "arch_prctl", "select",       "pselect6",  "epoll_wait"};

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
constexpr std::uint32_t kLowHalfOfFirstArgument = offsetof(seccomp_data, args);
#else
constexpr std::uint32_t kLowHalfOfFirstArgument = offsetof(seccomp_data, args) + sizeof(std::uint32_t);
#endif
constexpr std::uint64_t kThreadFlags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD;
constexpr std::uint64_t kOpenForMore = O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND | (O_TMPFILE & ~O_DIRECTORY);

using FilterContext = std::unique_ptr<void, CDelete<seccomp_release>>;

// Collects the first fault of many calls: libseccomp answers negative errno values.
class Rules {
 public:
  explicit Rules(scmp_filter_ctx filter) : filter_(filter) {}

  void allow(const char* name) { add(SCMP_ACT_ALLOW, name, nullptr); }
  void allow_if(const char* name, scmp_arg_cmp condition) { add(SCMP_ACT_ALLOW, name, &condition); }
  void answer(const char* name, unsigned number) { add(SCMP_ACT_ERRNO(number), name, nullptr); }
  void refuse_if(const char* name, scmp_arg_cmp condition) { add(SCMP_ACT_ERRNO(EPERM), name, &condition); }
  void note(int result) {
    if (result < 0 && fault_ == 0) fault_ = -result;
  }
  int fault() const { return fault_; }

 private:
  void add(std::uint32_t action, const char* name, const scmp_arg_cmp* condition) {
    const int number = seccomp_syscall_resolve_name(name);
    if (number == __NR_SCMP_ERROR) return;
    note(seccomp_rule_add_array(filter_, action, number, condition == nullptr ? 0 : 1, condition));
  }

  scmp_filter_ctx filter_;
  int fault_ = 0;
};

scmp_arg_cmp bits(unsigned argument, std::uint64_t mask, std::uint64_t value) {
  return {argument, SCMP_CMP_MASKED_EQ, mask, value};
}

void allow_by_argument(Rules& rules) {
  rules.allow_if("open", bits(1, kOpenForMore, O_RDONLY));
  rules.allow_if("openat", bits(2, kOpenForMore, O_RDONLY));
  // a thread, never a process; the flags of clone3() lie in memory, where a filter cannot look: libc then takes clone()
  rules.allow_if("clone", bits(0, kThreadFlags, kThreadFlags));
  rules.answer("clone3", ENOSYS);
  // not F_SETOWN and F_SETSIG: they have the kernel send signals to others of this user
  for (const int command : {F_GETFD, F_SETFD, F_GETFL, F_DUPFD, F_DUPFD_CLOEXEC, F_GETLK, F_SETLK}) {
    rules.allow_if("fcntl", {1, SCMP_CMP_EQ, static_cast<scmp_datum_t>(command), 0});
  }
  for (const char* name : {"mmap", "mprotect", "pkey_mprotect"}) rules.allow_if(name, bits(2, PROT_EXEC, 0));
  rules.allow("tgkill");  // abort(); itself alone: refuse_signals_to_others()
  rules.allow_if("prctl", bits(0, 0xFFFFFFFF, PR_SET_NAME));
  rules.allow_if("prlimit64", {2, SCMP_CMP_EQ, 0, 0});  // reads a limit, sets none
}

void allow_to_start(Rules& rules) {
  constexpr std::uint64_t kForkFlags = 0xFF | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID;  // 0xFF: the signal at its end
  for (const char* name : kAllowedToStart) rules.allow(name);
  rules.allow_if("clone", bits(0, ~kForkFlags, 0));
  rules.allow_if("mmap", bits(2, PROT_WRITE, 0));  // libraries, and whatever else is a file
  rules.allow_if("prlimit64", {0, SCMP_CMP_EQ, 0, 0});
  for (const int option : {PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS}) {
    rules.allow_if("prctl", bits(0, 0xFFFFFFFF, static_cast<std::uint64_t>(option)));
  }
}

// What both lose, who started a program and the program.
void refuse_more_processes(Rules& rules) {
  for (const char* name : {"wait4", "memfd_create", "setrlimit", "seccomp"}) rules.answer(name, EPERM);
  rules.refuse_if("clone", bits(0, CLONE_THREAD, 0));
  rules.refuse_if("prlimit64", {2, SCMP_CMP_NE, 0, 0});
  rules.refuse_if("prctl", bits(0, 0xFFFFFFFF, PR_SET_PDEATHSIG));
}

// Calls of another architecture (int 0x80) kill: libseccomp's default.
Result<FilterContext> made_filter(std::uint32_t all_others, const std::function<void(Rules&)>& fill) {
  FilterContext made(seccomp_init(all_others));
  if (!made) return refused("filter the system calls of", ENOMEM);
  Rules rules(made.get());
  rules.note(seccomp_attr_set(made.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2));  // a tree instead of a chain of comparisons
  fill(rules);
  if (rules.fault() != 0) return refused("filter the system calls of", rules.fault());
  return made;
}

// As the kernel takes it.
Result<std::vector<sock_filter>> compiled(std::uint32_t all_others, const std::function<void(Rules&)>& fill) {
  TRY_ASSIGN(const FilterContext filter, made_filter(all_others, fill));
  const UniqueFd file(::memfd_create("filter", MFD_CLOEXEC));
  if (!file) return refused("filter the system calls of", errno);
  if (const int failed = seccomp_export_bpf(filter.get(), file.get()); failed < 0) {
    return refused("filter the system calls of", -failed);
  }
  std::vector<sock_filter> program(BPF_MAXINSNS);
  const auto bytes = std::as_writable_bytes(std::span(program));
  TRY_ASSIGN(const std::size_t got, read_at(file.get(), bytes, 0));
  program.resize(got / sizeof(sock_filter));
  return program;
}

Status load(std::span<const sock_filter> program) {
  const sock_fprog whole{static_cast<unsigned short>(program.size()), const_cast<sock_filter*>(program.data())};
  if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &whole) != 0) {
    return refused("filter the system calls of", errno);
  }
  return Ok{};
}

// A filter of its own: whose number this is, is not known when the others are compiled. These see to other
// architectures.
Status refuse_signals_to_others() {
  const auto own = static_cast<std::uint32_t>(::getpid());
  const std::array<sock_filter, 6> program{{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_tgkill, 0, 2),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kLowHalfOfFirstArgument),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, own, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
  }};
  return load(program);
}

Status limit(int resource, std::uint64_t most) {
  const rlimit both{most, most};
  if (::setrlimit(static_cast<__rlimit_resource_t>(resource), &both) != 0) return refused("limit a resource of", errno);
  return Ok{};
}

}  // namespace

Status limit_decoder(const DecoderLimits& limits) {
  TRY(limit(RLIMIT_AS, limits.memory_bytes));
  TRY(limit_output(limits.output_bytes));
  TRY(limit_cpu(limits.cpu));
  TRY(limit(RLIMIT_NOFILE, limits.descriptors));
  return limit(RLIMIT_CORE, 0);
}

Status limit_output(std::uint64_t most_bytes) {
  return limit(RLIMIT_FSIZE, most_bytes);
}

// Soft and hard alike: a program that catches the warning (ffmpeg does) would go on.
Status limit_cpu(std::chrono::seconds most) {
  return limit(RLIMIT_CPU, static_cast<std::uint64_t>(most.count()));
}

void limit_cpu_from_now(std::chrono::seconds most) {
  itimerval once{};
  once.it_value.tv_sec = most.count();
  ::setitimer(ITIMER_PROF, &once, nullptr);
}

Result<DecoderCage> DecoderCage::make(std::span<const std::string> programs) {
  DecoderCage cage;
  TRY_ASSIGN(cage.reading_, rules_of_reading(programs));
  TRY_ASSIGN(cage.calls_, compiled(SCMP_ACT_ERRNO(EPERM), [&](Rules& rules) {
               for (const char* name : kAllowed) rules.allow(name);
               allow_by_argument(rules);
               if (!programs.empty()) allow_to_start(rules);
             }));
  TRY_ASSIGN(cage.settled_, compiled(SCMP_ACT_ALLOW, [](Rules& rules) {
               refuse_more_processes(rules);
               for (const char* name : {"execve", "arch_prctl", "ftruncate"}) rules.answer(name, EPERM);
               rules.refuse_if("mmap", bits(2, PROT_EXEC, PROT_EXEC));
             }));
  return cage;
}

Status DecoderCage::enter() const {
  TRY(give_up_privileges());
  TRY(restrict_writes({}));
  if (reading_ && ::syscall(SYS_landlock_restrict_self, reading_.get(), 0) != 0) {
    return refused("restrict the folders of", errno);
  }
  TRY(refuse_signals_to_others());
  return load(calls_);
}

Status DecoderCage::settle() const {
  return load(settled_);
}

Status confine_program() {
  TRY_ASSIGN(const FilterContext filter, made_filter(SCMP_ACT_ALLOW, [](Rules& rules) {
               refuse_more_processes(rules);
               // tgkill: the list lets it reach the helper, which was the process itself when the list was made
               for (const char* name : {"accept4", "recvmsg", "sendmsg", "sendto", "tgkill"}) rules.answer(name, EPERM);
             }));
  if (const int failed = seccomp_load(filter.get()); failed < 0) {
    return refused("filter the system calls of", -failed);
  }
  return Ok{};
}

}  // namespace cloakroom

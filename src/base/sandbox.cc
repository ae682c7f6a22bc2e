// sandbox.cc — capabilities, the filter of system calls, and Landlock's rules.
#include "base/sandbox.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>

#include "base/file.h"
#include "base/handle.h"

namespace cloakroom {
namespace {

// --- system calls
// -----------------------------------------------------------------------------------------------------

// By what they would be good for. A name that this libseccomp does not know yet is passed over.
constexpr std::array kRefused{
    // another program in our place; another process's memory and life
    "execve", "execveat", "ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "kcmp", "pidfd_open",
    "pidfd_getfd", "pidfd_send_signal", "kill", "tkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo",
    // another view of the file system
    "mount", "umount", "umount2", "pivot_root", "chroot", "move_mount", "open_tree", "fsopen", "fsconfig", "fsmount",
    "fspick", "mount_setattr", "open_by_handle_at", "name_to_handle_at", "swapon", "swapoff", "quotactl", "quotactl_fd",
    "fanotify_init",
    // other namespaces; clone() with their flags is a rule below
    "unshare", "setns",
    // the kernel itself, and its less trodden parts
    "bpf", "perf_event_open", "init_module", "finit_module", "delete_module", "create_module", "kexec_load",
    "kexec_file_load", "reboot", "userfaultfd", "io_uring_setup", "io_uring_enter", "io_uring_register", "add_key",
    "keyctl", "request_key", "iopl", "ioperm", "modify_ldt", "personality", "acct", "syslog", "lookup_dcookie",
    "vhangup", "migrate_pages", "move_pages", "mbind", "set_mempolicy", "uselib", "ustat", "sysfs", "_sysctl",
    "nfsservctl",
    // who we are and what time it is
    "setuid", "setuid32", "setgid", "setgid32", "setreuid", "setreuid32", "setregid", "setregid32", "setresuid",
    "setresuid32", "setresgid", "setresgid32", "setgroups", "setgroups32", "setfsuid", "setfsuid32", "setfsgid",
    "setfsgid32", "capset", "settimeofday", "stime", "clock_settime", "clock_settime64", "clock_adjtime",
    "clock_adjtime64", "adjtimex", "sethostname", "setdomainname",
    // files that are no files
    "mknod", "mknodat", "fchown", "fchown32", "chown", "chown32", "lchown", "lchown32", "fchownat"};

constexpr std::array kNamespaceFlags{CLONE_NEWNS,  CLONE_NEWUTS, CLONE_NEWIPC,    CLONE_NEWUSER,
                                     CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWCGROUP, CLONE_NEWTIME};
// A resolver asks the kernel for addresses by netlink.
constexpr std::array kSocketFamilies{AF_UNSPEC, AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};

using Filter = std::unique_ptr<void, CDelete<seccomp_release>>;

// Collects the first fault of many calls: libseccomp answers negative errno values.
class Rules {
 public:
  explicit Rules(scmp_filter_ctx filter) : filter_(filter) {}

  void refuse(const char* name, int answer = EPERM) { add(name, answer, nullptr); }
  void refuse_if(const char* name, scmp_arg_cmp condition, int answer = EPERM) { add(name, answer, &condition); }
  void note(int result) {
    if (result < 0 && fault_ == 0) fault_ = -result;
  }
  int fault() const { return fault_; }

 private:
  void add(const char* name, int answer, const scmp_arg_cmp* condition) {
    const int number = seccomp_syscall_resolve_name(name);
    if (number == __NR_SCMP_ERROR) return;
    const std::uint32_t action = SCMP_ACT_ERRNO(static_cast<std::uint32_t>(answer));
    note(seccomp_rule_add_array(filter_, action, number, condition == nullptr ? 0 : 1, condition));
  }

  scmp_filter_ctx filter_;
  int fault_ = 0;
};

scmp_arg_cmp has_all_bits(unsigned argument, std::uint64_t bits) {
  return {argument, SCMP_CMP_MASKED_EQ, bits, bits};
}

void refuse_by_argument(Rules& rules) {
  for (const int flag : kNamespaceFlags) rules.refuse_if("clone", has_all_bits(0, static_cast<std::uint32_t>(flag)));
  // its flags lie in memory, where a filter cannot look; libc then takes clone()
  rules.refuse("clone3", ENOSYS);
  constexpr int kLastFamily = 64;
  for (int family = 0; family < kLastFamily; ++family) {
    if (std::find(kSocketFamilies.begin(), kSocketFamilies.end(), family) != kSocketFamilies.end()) continue;
    rules.refuse_if("socket", {0, SCMP_CMP_EQ, static_cast<scmp_datum_t>(family), 0}, EAFNOSUPPORT);
  }
  rules.refuse_if("socket", {0, SCMP_CMP_GE, kLastFamily, 0}, EAFNOSUPPORT);
  // memory that is written and then executed
  rules.refuse_if("mmap", has_all_bits(2, PROT_WRITE | PROT_EXEC));
  for (const char* name : {"mprotect", "pkey_mprotect"}) rules.refuse_if(name, has_all_bits(2, PROT_EXEC));
  // signals to others than ourselves: nginx, and our parent, run as the same user
  rules.refuse_if("tgkill", {0, SCMP_CMP_NE, static_cast<scmp_datum_t>(::getpid()), 0});
  // keys typed into a terminal; being read by others of our user
  rules.refuse_if("ioctl", {1, SCMP_CMP_MASKED_EQ, 0xFFFFFFFF, TIOCSTI});
  rules.refuse_if("prctl", {0, SCMP_CMP_MASKED_EQ, 0xFFFFFFFF, PR_SET_DUMPABLE});
}

// --- folders
// ----------------------------------------------------------------------------------------------------------

constexpr std::uint64_t kTruncate =
    1ULL << 14;  // LANDLOCK_ACCESS_FS_TRUNCATE, since Linux 6.2; not in Debian 12's headers

constexpr std::uint64_t kGranted = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
                                   LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |
                                   LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REFER | kTruncate;
constexpr std::uint64_t kHandled = kGranted | LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_SOCK |
                                   LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |
                                   LANDLOCK_ACCESS_FS_MAKE_SYM;

// The folder, or the nearest one above it that can be opened: where we may not enter, permissions keep us from writing.
Result<UniqueFd> open_nearest(std::string path) {
  for (;;) {
    auto fd = open_file(path, O_PATH | O_DIRECTORY);
    if (fd || path.size() <= 1) return fd;
    path.resize(std::max<std::size_t>(1, path.rfind('/')));
  }
}

Error refused(std::string_view what, int number) {
  return Error{Errc::kInternal,
               "sandbox: " + errno_error(what, "process", number).detail + "; SANDBOX=off goes without it"};
}

bool has_no_capabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> sets{};
  if (::syscall(SYS_capget, &header, sets.data()) != 0) return false;
  return std::all_of(sets.begin(), sets.end(),
                     [](const auto& s) { return s.effective == 0 && s.permitted == 0 && s.inheritable == 0; });
}

}  // namespace

Status give_up_privileges() {
  // A capability that is in no set any more needs no dropping: EINVAL past the last one, EPERM for an ordinary user,
  // whom NoNewPrivileges keeps from it.
  for (unsigned long capability = 0; ::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0; ++capability) {
  }
  ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  const std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> none{};
  // a filter around us (systemd's ~@privileged) may forbid capset() to those who have nothing to lose
  if (::syscall(SYS_capset, &header, none.data()) != 0 && !has_no_capabilities()) {
    return refused("drop the capabilities of", errno);
  }
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return refused("set NoNewPrivileges of", errno);
  return Ok{};
}

Status filter_system_calls() {
  const Filter filter(seccomp_init(SCMP_ACT_ALLOW));  // calls of another architecture (int 0x80) kill: its default
  if (!filter) return refused("filter the system calls of", ENOMEM);
  Rules rules(filter.get());
  rules.note(seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2));  // a tree instead of a chain of comparisons
  for (const char* name : kRefused) rules.refuse(name);
  refuse_by_argument(rules);
  if (rules.fault() == 0) rules.note(seccomp_load(filter.get()));
  if (rules.fault() != 0) return refused("filter the system calls of", rules.fault());
  return Ok{};
}

Result<bool> restrict_writes(std::span<const std::string> folders) {
  const long version = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (version < 2) return false;  // the first version refuses every link and rename across folders
  const std::uint64_t known = version < 3 ? ~kTruncate : ~std::uint64_t{0};
  landlock_ruleset_attr attributes{};
  attributes.handled_access_fs = kHandled & known;
  const UniqueFd rules(static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0)));
  if (!rules) return refused("make rules of folders for", errno);
  for (const std::string& folder : folders) {
    TRY_ASSIGN(const UniqueFd fd, open_nearest(folder));
    landlock_path_beneath_attr beneath{};
    beneath.allowed_access = kGranted & known;
    beneath.parent_fd = fd.get();
    if (::syscall(SYS_landlock_add_rule, rules.get(), LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) != 0) {
      return refused("make rules of folders for", errno);
    }
  }
  if (::syscall(SYS_landlock_restrict_self, rules.get(), 0) != 0) return refused("restrict the folders of", errno);
  return true;
}

Result<bool> enter_sandbox(std::span<const std::string> writable_folders) {
  TRY(give_up_privileges());
  TRY_ASSIGN(const bool folders, restrict_writes(writable_folders));
  TRY(filter_system_calls());
  return folders;
}

}  // namespace cloakroom

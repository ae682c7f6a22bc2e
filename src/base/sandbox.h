// sandbox.h — what a process gives up before it reads bytes of strangers: privileges, system calls, folders to write
// to.
//
// Source   capabilities(7), prctl(2) PR_SET_NO_NEW_PRIVS, seccomp(2) by libseccomp, landlock(7).
// Shape    One way: nothing of it can be taken back, threads and children inherit it. systemd's sandbox does the same
//          and more from outside; this holds also where there is no systemd.
// Errors   kInternal  the kernel or a container's own filter refuses; the process must not go on. A kernel without
//                     Landlock (before 5.19) is no error: then folders are left to the file system's permissions.
#pragma once

#include <span>
#include <string>

#include "base/result.h"

namespace cloakroom {

// No capability is left in any set, and no program executed later brings one back (setuid bits count for nothing).
Status give_up_privileges();

// Calls that none of our code makes and an intruder would like to: they answer EPERM. Which: sandbox.cc, and decision
// 27 says why it is a list of refusals. REQUIRES: give_up_privileges().
Status filter_system_calls();

// From here on nothing is made, changed or removed outside of these folders; reading is not touched. A folder that
// is not there counts by its nearest parent that is. False: this kernel cannot do it. REQUIRES: give_up_privileges().
Result<bool> restrict_writes(std::span<const std::string> folders);

// All of the above. What it gives is restrict_writes()'s answer.
Result<bool> enter_sandbox(std::span<const std::string> writable_folders);

}  // namespace cloakroom

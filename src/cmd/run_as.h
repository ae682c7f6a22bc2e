// run_as.h — root steps down to the user of an instance's workers.
//
// Why      the settings of an instance are root's to read; what the tool then makes (files, folders, copies that come
//          back) must be the workers' to read, the database may know them by their system user, and `check` shall meet
//          what they meet.
// Who      the owner of the store's folder, where systemd (StateDirectory=) or the sysadmin has made it; where it is
//          not there yet, or is root's, the user that the units name, if there is one.
// Shape    One way: ids, groups and capabilities are given up, and nobody may look into the process (prctl(2)
//          PR_SET_DUMPABLE, which a change of ids undoes). The working folder stays: a path that the caller gave means
//          what it meant.
// Errors   kInternal  the kernel refuses; the process must not go on.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "base/result.h"

namespace cloakroom {

struct SystemUser {
  std::string name;  // empty: a number that the system knows no name for
  std::string home = "/";
  ::uid_t uid = 0;
  ::gid_t gid = 0;
};

// Never root; none: the caller is not root, or there is nobody else.
std::optional<SystemUser> user_of_workers(const std::string& folder);
Status become(const SystemUser& user);

}  // namespace cloakroom

// run_as.h — root steps down to the user of an instance's workers.
//
// Why      the settings of an instance are root's to read; what the tool then makes (files, folders, copies that come
//          back) must be the workers' to read, the database may know them by their system user, and `check` shall meet
//          what they meet.
// Who      the owner of the store's folder, where systemd (StateDirectory=) or the sysadmin has made it; where it is
//          not there yet, or is root's, the user that the units name, if there is one.
// Shape    One way: ids, groups and capabilities are given up; HOME is the user's, for libpq looks for files there.
//          The working folder stays: a path that the caller gave means what it meant.
// Errors   kInternal  the kernel refuses; the process must not go on.
#pragma once

#include <string>

#include "base/result.h"

namespace cloakroom {

// Does nothing for whoever is not root.
Status become_user_of(const std::string& folder);

}  // namespace cloakroom

// check_host.h — the checks of `cloakroom check` that need no store: database, folders, room on the disk.
//
// Leaves   nothing behind: the one file it writes has a temporary name and is removed at once. No folder is made, for
// the
//          tool may run as another user than the workers.
#pragma once

#include <string>

#include "base/config.h"
#include "base/finding.h"

namespace cloakroom {

Findings check_database(const Config& config, const std::string& migrations_folder);
Findings check_folders(const Config& config);

}  // namespace cloakroom

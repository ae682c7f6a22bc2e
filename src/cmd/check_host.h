// check_host.h — the checks of `cloakroom check` that need no store: database, folders, room on the disk.
//
// Leaves   nothing behind: the files it writes have temporary names and are removed at once. No folder is made, for
// the
//          tool may run as another user than the workers.
#pragma once

#include <cstdint>
#include <string>

#include "base/config.h"
#include "base/finding.h"

namespace cloakroom {

Findings check_database(const Config& config, const std::string& migrations_folder);
Findings check_folders(const Config& config);

struct DiskRoom {
  std::uint64_t free_bytes = 0, all_bytes = 0;
  std::uint64_t free_files = 0, all_files = 0;  // inodes; 0 of all: the file system does not count them
};
// Whether that is enough for uploads of up to `largest_bytes`. The Finding is without its name.
Finding judge_room(const DiskRoom& disk, std::uint64_t largest_bytes);

}  // namespace cloakroom

// run_as.cc — from root to the user of the workers.
#include "cmd/run_as.h"

#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/file.h"

namespace cloakroom {
namespace {

constexpr const char* kUnitsUser = "www-data";  // User= in systemd/*.service

std::optional<SystemUser> known(const ::passwd* entry) {
  if (entry == nullptr || entry->pw_uid == 0) return std::nullopt;
  return SystemUser{entry->pw_name, entry->pw_dir, entry->pw_uid, entry->pw_gid};
}

}  // namespace

std::optional<SystemUser> user_of_workers(const std::string& folder) {
  if (::geteuid() != 0) return std::nullopt;
  struct stat info {};
  if (::stat(folder.c_str(), &info) != 0 || info.st_uid == 0) return known(::getpwnam(kUnitsUser));
  if (auto owner = known(::getpwuid(info.st_uid))) return owner;
  return SystemUser{.name = "", .uid = info.st_uid, .gid = info.st_uid};  // never a group of root's
}

Status become(const SystemUser& user) {
  const int grouped = user.name.empty() ? ::setgroups(0, nullptr) : ::initgroups(user.name.c_str(), user.gid);
  if (grouped != 0 || ::setresgid(user.gid, user.gid, user.gid) != 0 ||
      ::setresuid(user.uid, user.uid, user.uid) != 0) {
    return errno_error("become the user of the workers,", user.name.empty() ? std::to_string(user.uid) : user.name,
                       errno);
  }
  ::prctl(PR_SET_DUMPABLE, 0);
  ::umask(0077);  // as in the units
  return Ok{};
}

}  // namespace cloakroom

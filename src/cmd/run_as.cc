// run_as.cc — from root to the user of the workers.
#include "cmd/run_as.h"

#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "base/file.h"

namespace cloakroom {
namespace {

constexpr const char* kUnitsUser = "www-data";  // User= in systemd/*.service

struct User {
  std::string name, home;
  ::uid_t uid = 0;
  ::gid_t gid = 0;
};

User found(const ::passwd* entry) {
  return entry == nullptr ? User{} : User{entry->pw_name, entry->pw_dir, entry->pw_uid, entry->pw_gid};
}

User user_of(const std::string& folder) {
  struct stat info {};
  if (::stat(folder.c_str(), &info) == 0 && info.st_uid != 0) {
    User owner = found(::getpwuid(info.st_uid));
    if (owner.uid == 0) owner = {"", "/", info.st_uid, info.st_gid};  // a number that nobody here knows by name
    return owner;
  }
  return found(::getpwnam(kUnitsUser));
}

}  // namespace

Status become_user_of(const std::string& folder) {
  if (::geteuid() != 0) return Ok{};
  const User user = user_of(folder);
  if (user.uid == 0) return Ok{};  // of a container, say, in which all is root's
  const int grouped =
      user.name.empty() ? ::setgroups(0, nullptr) : ::initgroups(user.name.c_str(), user.gid);  // adm, clamav, ...
  if (grouped != 0 || ::setresgid(user.gid, user.gid, user.gid) != 0 ||
      ::setresuid(user.uid, user.uid, user.uid) != 0) {
    return errno_error("become the user of", folder, errno);
  }
  ::setenv("HOME", user.home.c_str(), 1);
  ::umask(0077);  // as in the units
  return Ok{};
}

}  // namespace cloakroom

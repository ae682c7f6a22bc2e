// listener_test.cc — a socket that can be connected to, by whom it is for, and one that is made again.
#include "base/listener.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstring>
#include <string>

#include "check.h"
#include "fake/temp_folder.h"

using namespace cloakroom;

namespace {

int connect_to(const std::string& path, int type) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  const UniqueFd fd(::socket(AF_UNIX, type, 0));
  return ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ? 0 : errno;
}

}  // namespace

static void whoever_comes_finds_a_socket_of_its_type() {
  const fake::TempFolder folder;
  for (const int type : {SOCK_STREAM, SOCK_SEQPACKET}) {
    const std::string path = folder / std::to_string(type);
    const UniqueFd listener = CHECK_OK(listen_on({path, type, 8}));
    CHECK_EQ(connect_to(path, type), 0);
    CHECK_EQ(connect_to(path, type == SOCK_STREAM ? SOCK_SEQPACKET : SOCK_STREAM), EPROTOTYPE);
  }
}

static void its_group_may_connect_and_others_may_not_whatever_the_umask() {
  const fake::TempFolder folder;
  const mode_t before = ::umask(0);
  const UniqueFd listener = CHECK_OK(listen_on({folder / "s", SOCK_STREAM, 8}));
  CHECK_EQ(::umask(before), 0u);  // which is as it was
  struct stat info {};
  CHECK_EQ(::stat((folder / "s").c_str(), &info), 0);
  CHECK_EQ(info.st_mode & 07777, 0660u);
}

static void one_that_was_left_behind_is_replaced() {
  const fake::TempFolder folder;
  const std::string path = folder / "s";
  CHECK_OK(listen_on({path, SOCK_STREAM, 8}));
  CHECK_EQ(connect_to(path, SOCK_STREAM), ECONNREFUSED);
  const UniqueFd listener = CHECK_OK(listen_on({path, SOCK_STREAM, 8}));
  CHECK_EQ(connect_to(path, SOCK_STREAM), 0);
}

static void a_path_that_is_too_long_or_leads_nowhere_is_an_error() {
  const fake::TempFolder folder;
  CHECK_ERR(listen_on({folder / std::string(108, 'x'), SOCK_STREAM, 8}), Errc::kInvalid);
  CHECK_ERR(listen_on({folder / "none/s", SOCK_STREAM, 8}), Errc::kNotFound);
}

int main() {
  const CMUnitTest tests[] = {
      CASE(whoever_comes_finds_a_socket_of_its_type),
      CASE(its_group_may_connect_and_others_may_not_whatever_the_umask),
      CASE(one_that_was_left_behind_is_replaced),
      CASE(a_path_that_is_too_long_or_leads_nowhere_is_an_error),
  };
  return RUN_TESTS("listener", tests);
}

// listener.cc — socket, bind, listen.
#include "base/listener.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/file.h"

namespace cloakroom {

Result<UniqueFd> listen_on(const ListenerOptions& options) {
  const std::string& path = options.path;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return Error{Errc::kInvalid, "socket path '" + path + "' is too long"};
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  UniqueFd fd(::socket(AF_UNIX, options.type | SOCK_CLOEXEC, 0));
  if (!fd) return errno_error("make a socket", path, errno);
  ::unlink(path.c_str());
  const mode_t old = ::umask(0117);
  const int bound = ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  const int bind_error = errno;
  ::umask(old);
  if (bound != 0) return errno_error("bind", path, bind_error);
  if (::listen(fd.get(), options.backlog) != 0) return errno_error("listen on", path, errno);
  return fd;
}

}  // namespace cloakroom

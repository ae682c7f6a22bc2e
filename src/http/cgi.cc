// cgi.cc — read(2) and write(2) on descriptors 0 and 1.
#include "http/cgi.h"

#include <unistd.h>

#include <cerrno>

#include "base/file.h"

namespace cloakroom {

std::string_view CgiExchange::variable(const char* name) const {
  const std::string_view wanted(name);
  for (char** entry = environment_; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    if (text.size() > wanted.size() && text[wanted.size()] == '=' && text.starts_with(wanted)) {
      return text.substr(wanted.size() + 1);
    }
  }
  return {};
}

Result<std::size_t> CgiExchange::read_body(std::span<std::byte> into) {
  while (true) {
    const ssize_t got = ::read(STDIN_FILENO, into.data(), into.size());
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno != EINTR) return errno_error("read", "standard input", errno);
  }
}

Status CgiExchange::write(std::span<const std::byte> bytes) {
  return write_all(STDOUT_FILENO, bytes);
}

}  // namespace cloakroom

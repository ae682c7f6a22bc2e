// loopback.h — what the HTTP servers of the tests begin with: a port on 127.0.0.1, and texts of answers.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <string>

#include "base/handle.h"
#include "check.h"

namespace cloakroom {

// Listens from its first moment; shut it down to wake an accept(2).
class LoopbackListener {
 public:
  LoopbackListener() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    CHECK_EQ(::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), size), 0);
    CHECK_EQ(::listen(fd_.get(), 16), 0);
    CHECK_EQ(::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
  }
  std::string endpoint() const { return "http://127.0.0.1:" + std::to_string(port_); }
  UniqueFd accept() const { return UniqueFd(::accept(fd_.get(), nullptr, nullptr)); }
  void shut_down() const { ::shutdown(fd_.get(), SHUT_RDWR); }

 private:
  UniqueFd fd_;
  unsigned port_ = 0;
};

inline std::string answer(const std::string& status, const std::string& headers, const std::string& body) {
  return "HTTP/1.1 " + status + "\r\n" + headers + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}
inline std::string error_answer(const std::string& status, const std::string& code, const std::string& headers = "",
                                const std::string& more = "") {
  return answer(status, headers, "<Error><Code>" + code + "</Code>" + more + "</Error>");
}
// The head promises more than the body holds: the connection breaks in the middle.
inline std::string broken(const std::string& status, const std::string& headers, std::size_t length,
                          const std::string& body) {
  return "HTTP/1.1 " + status + "\r\n" + headers + "Content-Length: " + std::to_string(length) + "\r\n\r\n" + body;
}

}  // namespace cloakroom

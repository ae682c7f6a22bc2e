// scripted_server.h — an HTTP server on loopback that answers each connection with the next text of a script, then
// closes.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/encode.h"
#include "base/handle.h"
#include "check.h"

namespace cloakroom {

struct Reply {
  std::string text;
  bool keep_open = false;
  Reply(std::string t, bool keep = false) : text(std::move(t)), keep_open(keep) {}  // NOLINT: implicit by design
  Reply(const char* t) : text(t) {}                                                 // NOLINT: implicit by design
};

class ScriptedServer {
 public:
  explicit ScriptedServer(std::vector<Reply> answers) : answers_(std::move(answers)) {
    listener_.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    CHECK_EQ(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), size), 0);
    CHECK_EQ(::listen(listener_.get(), 16), 0);
    CHECK_EQ(::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;
  ~ScriptedServer() {
    ::shutdown(listener_.get(), SHUT_RDWR);  // wakes accept()
    thread_.join();
  }

  std::string endpoint() const { return "http://127.0.0.1:" + std::to_string(port_); }
  // Each request as it came: head and body.
  std::vector<std::string> requests() {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  void serve() {
    UniqueFd peer;
    for (const Reply& answer : answers_) {
      if (!peer) peer.reset(::accept(listener_.get(), nullptr, nullptr));
      if (!peer) return;
      std::string request = read_request(peer.get());
      {
        const std::lock_guard lock(mutex_);
        requests_.push_back(std::move(request));
      }
      for (std::size_t sent = 0; sent < answer.text.size();) {
        const ssize_t n = ::send(peer.get(), answer.text.data() + sent, answer.text.size() - sent, MSG_NOSIGNAL);
        if (n <= 0) break;
        sent += static_cast<std::size_t>(n);
      }
      if (!answer.keep_open) close_gently(peer);
    }
  }

  // Reads what is left, so that the close sends no reset over the answer.
  static void close_gently(UniqueFd& peer) {
    ::shutdown(peer.get(), SHUT_WR);
    std::array<char, 4096> rest;
    while (::recv(peer.get(), rest.data(), rest.size(), 0) > 0) continue;
    peer.reset();
  }

  static std::string read_request(int fd) {
    std::string text;
    std::array<char, 4096> block;
    std::size_t wanted = std::string::npos;
    while (text.size() < wanted) {
      const ssize_t n = ::recv(fd, block.data(), block.size(), 0);
      if (n <= 0) break;
      text.append(block.data(), static_cast<std::size_t>(n));
      const std::size_t end = text.find("\r\n\r\n");
      if (wanted == std::string::npos && end != std::string::npos) {
        const std::string head = ascii_lower(text.substr(0, end));
        const std::size_t length = head.find("\r\ncontent-length: ");
        wanted = end + 4 + (length == std::string::npos ? 0 : std::strtoul(head.c_str() + length + 18, nullptr, 10));
      }
    }
    return text;
  }

  std::vector<Reply> answers_;
  UniqueFd listener_;
  unsigned port_ = 0;
  std::mutex mutex_;
  std::vector<std::string> requests_;
  std::thread thread_;
};

}  // namespace cloakroom

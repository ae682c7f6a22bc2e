// scripted_clamd.h — a socket, Unix or TCP, whose other side does what a test says, once for each connection.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstring>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "base/handle.h"
#include "fake/temp_folder.h"

#include "check.h"

namespace cloakroom {

// The server's end of one connection.
class ClamdPeer {
 public:
  ClamdPeer(int fd, const std::atomic<bool>& is_ending) : fd_(fd), is_ending_(is_ending) {}

  // At least so many bytes, or all until the client hangs up.
  std::string read(std::size_t least) {
    std::string text;
    std::array<char, 65536> block;
    while (text.size() < least) {
      const ssize_t n = ::recv(fd_, block.data(), std::min(block.size(), least - text.size()), 0);
      if (n <= 0) break;
      text.append(block.data(), static_cast<std::size_t>(n));
    }
    return text;
  }
  // The command and the stream after it, its chunks put together.
  std::string read_stream() {
    read(10);
    std::string all;
    while (true) {
      const std::string head = read(4);
      if (head.size() < 4) return all;
      std::size_t size = 0;
      for (const char c : head) size = size << 8 | static_cast<unsigned char>(c);
      if (size == 0) return all;
      all += read(size);
    }
  }
  void say(const std::string& text) {
    [[maybe_unused]] const auto n = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
  }
  void hang() const {
    pollfd one{fd_, POLLRDHUP, 0};
    while (!is_ending_ && ::poll(&one, 1, 20) == 0) continue;
  }

 private:
  int fd_;
  const std::atomic<bool>& is_ending_;
};

class ScriptedClamd {
 public:
  using Act = std::function<void(ClamdPeer&)>;

  enum class Kind { kUnix, kTcp };

  explicit ScriptedClamd(std::vector<Act> acts, Kind kind = Kind::kUnix) : acts_(std::move(acts)), kind_(kind) {
    if (kind == Kind::kUnix) {
      listener_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
      sockaddr_un address{};
      address.sun_family = AF_UNIX;
      std::memcpy(address.sun_path, path().c_str(), path().size() + 1);
      CHECK_EQ(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    } else {
      listener_.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      socklen_t size = sizeof address;
      CHECK_EQ(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), size), 0);
      CHECK_EQ(::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
      port_ = ntohs(address.sin_port);
    }
    CHECK_EQ(::listen(listener_.get(), 8), 0);
    thread_ = std::thread([this] {
      for (const Act& act : acts_) {
        const UniqueFd fd(::accept(listener_.get(), nullptr, nullptr));
        if (!fd) return;
        ClamdPeer peer(fd.get(), is_ending_);
        act(peer);
      }
    });
  }
  ScriptedClamd(const ScriptedClamd&) = delete;
  ScriptedClamd& operator=(const ScriptedClamd&) = delete;
  ~ScriptedClamd() {
    is_ending_ = true;
    ::shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
  }

  std::string path() const {
    return kind_ == Kind::kUnix ? folder_.path() + "/clamd.sock" : "127.0.0.1:" + std::to_string(port_);
  }

 private:
  std::vector<Act> acts_;
  Kind kind_;
  unsigned port_ = 0;
  fake::TempFolder folder_;
  UniqueFd listener_;
  std::atomic<bool> is_ending_ = false;
  std::thread thread_;
};

}  // namespace cloakroom

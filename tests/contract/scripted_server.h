// scripted_server.h — an HTTP server on loopback that answers each request with the next reply of a script.
//
// Shape    a reply is a text, or made from the request; then the connection is closed, or kept for the next request.
//          One connection at a time. When the script is at its end nobody answers: a request too many fails.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <functional>
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
  std::chrono::milliseconds pause_after_byte{0};                                    // a trickle
  std::function<std::string(const std::string& request)> make = {};                 // instead of the text
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
  std::string request(std::size_t number) { return requests().at(number); }
  bool request_has(std::size_t number, const std::string& text) {
    return request(number).find(text) != std::string::npos;
  }
  std::string first_line(std::size_t number) { return request(number).substr(0, request(number).find("\r\n")); }
  std::size_t connections() {
    const std::lock_guard lock(mutex_);
    return connections_;
  }

 private:
  void serve() {
    UniqueFd peer;
    for (const Reply& answer : answers_) {
      std::string request;
      for (bool is_kept = true; is_kept && request.empty();) {  // who leaves a kept connection comes by another
        is_kept = static_cast<bool>(peer);
        if (!is_kept && !accept_next(peer)) return;
        request = read_request(peer.get());
        if (is_kept && request.empty()) peer.reset(), is_kept = true;
      }
      const std::string text = answer.make ? answer.make(request) : answer.text;
      {
        const std::lock_guard lock(mutex_);
        requests_.push_back(std::move(request));
      }
      send_all(peer.get(), text, answer.pause_after_byte);
      if (!answer.keep_open) close_gently(peer);
    }
  }

  bool accept_next(UniqueFd& peer) {
    peer.reset(::accept(listener_.get(), nullptr, nullptr));
    const std::lock_guard lock(mutex_);
    connections_ += peer ? 1U : 0U;
    return static_cast<bool>(peer);
  }

  static void send_all(int fd, const std::string& text, std::chrono::milliseconds pause) {
    for (std::size_t sent = 0; sent < text.size();) {
      const std::size_t most = pause.count() > 0 ? 1 : text.size() - sent;
      const ssize_t n = ::send(fd, text.data() + sent, most, MSG_NOSIGNAL);
      if (n <= 0) return;
      sent += static_cast<std::size_t>(n);
      if (pause.count() > 0) std::this_thread::sleep_for(pause);
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
  std::size_t connections_ = 0;
  std::thread thread_;
};

// Texts for replies.
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

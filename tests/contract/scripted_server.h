// scripted_server.h — an HTTP server on loopback that answers each request with the next reply of a script.
//
// Shape    a reply is a text, or made from the request; then the connection is closed, or kept for the next request.
//          One connection at a time. When the script is at its end nobody answers: a request too many fails.
#pragma once

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/encode.h"
#include "base/handle.h"
#include "loopback.h"

namespace cloakroom {

struct Reply {
  std::string text;
  bool keep_open = false;
  std::chrono::milliseconds pause_after_byte{0};                                    // a trickle
  std::function<std::string(const std::string& request)> make = {};                 // instead of the text
  std::size_t read_at_most = std::string::npos;                                     // of the request, then answer
  bool hold = false;                                                                // leave it to the client to close
  Reply(std::string t, bool keep = false) : text(std::move(t)), keep_open(keep) {}  // NOLINT: implicit by design
  Reply(const char* t) : text(t) {}                                                 // NOLINT: implicit by design
};

class ScriptedServer {
 public:
  explicit ScriptedServer(std::vector<Reply> answers) : answers_(std::move(answers)) {
    thread_ = std::thread([this] { serve(); });
  }
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;
  ~ScriptedServer() {
    is_ending_ = true;
    listener_.shut_down();  // wakes accept()
    thread_.join();
  }

  std::string endpoint() const { return listener_.endpoint(); }
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
        request = read_request(peer.get(), answer.read_at_most);
        if (is_kept && request.empty()) peer.reset(), is_kept = true;
      }
      const std::string text = answer.make ? answer.make(request) : answer.text;
      {
        const std::lock_guard lock(mutex_);
        requests_.push_back(std::move(request));
      }
      send_all(peer.get(), text, answer.pause_after_byte);
      if (answer.hold) wait_for_hangup(peer.get());
      if (!answer.keep_open) close_gently(peer);
    }
  }

  bool accept_next(UniqueFd& peer) {
    peer = listener_.accept();
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

  // A client that leaves with bytes unsent cannot be seen leaving: the test's end is one, too.
  void wait_for_hangup(int fd) const {
    pollfd one{fd, POLLRDHUP, 0};
    while (!is_ending_ && ::poll(&one, 1, 50) == 0) continue;
  }

  // Reads what is left, so that the close sends no reset over the answer.
  static void close_gently(UniqueFd& peer) {
    ::shutdown(peer.get(), SHUT_WR);
    std::array<char, 4096> rest;
    while (::recv(peer.get(), rest.data(), rest.size(), 0) > 0) continue;
    peer.reset();
  }

  static std::string read_request(int fd, std::size_t most) {
    std::string text;
    std::array<char, 4096> block;
    std::size_t wanted = std::string::npos;
    while (text.size() < std::min(wanted, most)) {
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
  LoopbackListener listener_;
  std::mutex mutex_;
  std::vector<std::string> requests_;
  std::size_t connections_ = 0;
  std::atomic<bool> is_ending_ = false;
  std::thread thread_;
};

}  // namespace cloakroom

// scripted_imager.h — stands where cloakroom-image would: takes one question, and does with it what the test says.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "base/handle.h"
#include "check.h"
#include "fake/temp_folder.h"

namespace cloakroom {

class ScriptedImager {
 public:
  struct Question {
    int connection = -1;
    std::string text;
    std::vector<UniqueFd> files;
  };
  using Script = std::function<void(Question&)>;

  // `reads`: false closes the connection without a look at it.
  explicit ScriptedImager(Script script, bool reads = true) : script_(std::move(script)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path().c_str(), sizeof address.sun_path - 1);
    listener_ = UniqueFd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    CHECK(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    CHECK(::listen(listener_.get(), 8) == 0);
    thread_ = std::thread([this, reads] { serve(reads); });
  }
  ScriptedImager(const ScriptedImager&) = delete;
  ScriptedImager& operator=(const ScriptedImager&) = delete;
  ~ScriptedImager() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
  }

  std::string path() const { return folder_ / "s"; }

  static void answer(const Question& q, const std::string& text) {
    ::send(q.connection, text.data(), text.size(), MSG_NOSIGNAL);
  }

 private:
  void serve(bool reads) {
    const UniqueFd connection(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!connection) return;
    if (!reads) {
      ::usleep(50'000);  // the question has come
      return;
    }
    Question q{connection.get(), std::string(4096, '\0'), {}};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(2 * sizeof(int))> control{};
    iovec part{q.text.data(), q.text.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t got = ::recvmsg(connection.get(), &message, MSG_CMSG_CLOEXEC);
    q.text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    if (const cmsghdr* h = CMSG_FIRSTHDR(&message)) {
      for (std::size_t i = 0; i < (h->cmsg_len - CMSG_LEN(0)) / sizeof(int); ++i) {
        int fd = -1;
        std::memcpy(&fd, CMSG_DATA(h) + i * sizeof fd, sizeof fd);
        q.files.emplace_back(fd);
      }
    }
    script_(q);
  }

  fake::TempFolder folder_;
  Script script_;
  UniqueFd listener_;
  std::thread thread_;
};

}  // namespace cloakroom

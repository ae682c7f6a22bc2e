// parts_server.h — an HTTP server on loopback that takes multipart uploads from many connections at once, hashes the
// bytes and throws them away. It can be told to answer otherwise, and to hold parts until several are under way.
#pragma once

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/digest.h"
#include "base/encode.h"
#include "base/handle.h"
#include "loopback.h"

namespace cloakroom {

struct PartsRequest {
  std::string line;       // "PUT /files/key?partNumber=1&uploadId=u1 HTTP/1.1"
  std::string head;       // all of it, in lower case
  unsigned part = 0;      // 0: not a part
  unsigned attempt = 1;   // of this part
  std::string body_hash;  // hex of its SHA-256
  std::uint64_t body_bytes = 0;
  std::string text;  // the body's first bytes
};

class PartsServer {
 public:
  // An answer other than the usual one, or "" for that; "cut" closes the connection instead.
  using Script = std::function<std::string(const PartsRequest&)>;

  // Parts are answered when `together` are under way (or nothing more comes for 2 s).
  explicit PartsServer(Script script = {}, unsigned together = 1) : script_(std::move(script)), together_(together) {
    threads_.emplace_back([this] { accept_all(); });
  }
  PartsServer(const PartsServer&) = delete;
  PartsServer& operator=(const PartsServer&) = delete;
  ~PartsServer() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
      for (const int fd : open_) ::shutdown(fd, SHUT_RDWR);
    }
    arrived_.notify_all();
    listener_.shut_down();
    threads_.front().join();  // first: it makes the others
    for (std::size_t i = 1; i < threads_.size(); ++i) threads_[i].join();
  }

  std::string endpoint() const { return listener_.endpoint(); }
  std::vector<PartsRequest> requests() {
    const std::lock_guard lock(mutex_);
    return requests_;
  }
  // Those whose line begins with `text` after the method and a blank.
  std::size_t count(const std::string& method, const std::string& text = "") {
    const auto all = requests();
    return static_cast<std::size_t>(std::count_if(all.begin(), all.end(), [&](const PartsRequest& r) {
      return r.line.rfind(method + " ", 0) == 0 && r.line.find(text) != std::string::npos;
    }));
  }
  unsigned most_at_once() {
    const std::lock_guard lock(mutex_);
    return most_at_once_;
  }
  std::uint64_t bytes() {  // of the object, when it is completed
    const std::lock_guard lock(mutex_);
    std::uint64_t sum = 0;
    for (const auto& [number, size] : stored_) sum += size;
    return sum;
  }

  static std::string answer(const std::string& status, const std::string& body, const std::string& headers = "") {
    return cloakroom::answer(status, headers, body);
  }
  static std::string error(const std::string& status, const std::string& code) { return error_answer(status, code); }

 private:
  void accept_all() {
    while (true) {
      UniqueFd peer = listener_.accept();
      const std::lock_guard lock(mutex_);
      if (!peer || stopping_) return;
      open_.push_back(peer.get());
      threads_.emplace_back([this, fd = peer.release()] {
        serve(fd);
        const std::lock_guard closing(mutex_);
        open_.erase(std::find(open_.begin(), open_.end(), fd));
        ::close(fd);
      });
    }
  }

  void serve(int fd) {
    PartsRequest request;
    while (read_request(fd, request)) {
      const bool is_part = request.part > 0;
      std::unique_lock lock(mutex_);
      if (is_part) request.attempt = ++attempts_[request.part];
      requests_.push_back(request);
      const std::string told = script_ ? script_(request) : "";
      if (is_part) {
        ++under_way_;
        most_at_once_ = std::max(most_at_once_, under_way_);
        arrived_.notify_all();
        arrived_.wait_for(lock, std::chrono::seconds(2), [this] { return stopping_ || most_at_once_ >= together_; });
        --under_way_;
        if (told.empty()) stored_[request.part] = request.body_bytes;
      }
      lock.unlock();
      if (told == "cut") return;
      const std::string text = told.empty() ? usual(request) : told;
      if (::send(fd, text.data(), text.size(), MSG_NOSIGNAL) < 0) return;
    }
  }

  std::string usual(const PartsRequest& request) {
    const auto is = [&request](const char* method, const char* part) {
      return request.line.rfind(std::string(method) + " ", 0) == 0 && request.line.find(part) != std::string::npos;
    };
    if (request.part > 0) return answer("200 OK", "", "ETag: \"e" + std::to_string(request.part) + "\"\r\n");
    if (is("POST", "uploads="))
      return answer("200 OK", "<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>");
    if (is("POST", "uploadId=")) return answer("200 OK", "<CompleteMultipartUploadResult/>");
    if (is("DELETE", "uploadId=")) return answer("204 No Content", "");
    if (is("HEAD", "")) return "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
    return error("501 Not Implemented", "NotImplemented");
  }

  static bool read_request(int fd, PartsRequest& request) {
    request = {};
    std::array<char, 65536> block;
    std::string text;
    std::size_t end = std::string::npos;
    while (end == std::string::npos) {
      const ssize_t n = ::recv(fd, block.data(), block.size(), 0);
      if (n <= 0) return false;
      text.append(block.data(), static_cast<std::size_t>(n));
      end = text.find("\r\n\r\n");
    }
    request.line = text.substr(0, text.find("\r\n"));
    request.head = ascii_lower(text.substr(0, end + 2));
    if (const auto at = request.line.find("partNumber="); at != std::string::npos)
      request.part = static_cast<unsigned>(std::strtoul(request.line.c_str() + at + 11, nullptr, 10));
    const auto length = request.head.find("\r\ncontent-length: ");
    request.body_bytes =
        length == std::string::npos ? 0 : std::strtoull(request.head.c_str() + length + 18, nullptr, 10);
    Sha256 hash;
    std::string_view bytes = std::string_view(text).substr(end + 4);
    for (std::uint64_t left = request.body_bytes;;) {
      hash.update(std::as_bytes(std::span(bytes)));
      request.text.append(bytes.substr(0, 4096 - std::min<std::size_t>(4096, request.text.size())));
      left -= bytes.size();
      if (left == 0) break;
      const ssize_t n = ::recv(fd, block.data(), block.size(), 0);
      if (n <= 0) return false;
      bytes = {block.data(), static_cast<std::size_t>(n)};
    }
    request.body_hash = hex_encode(hash.finish());
    return true;
  }

  Script script_;
  unsigned together_;
  LoopbackListener listener_;
  std::mutex mutex_;
  std::condition_variable arrived_;
  bool stopping_ = false;
  std::vector<int> open_;
  std::vector<PartsRequest> requests_;
  std::map<unsigned, unsigned> attempts_;
  std::map<unsigned, std::uint64_t> stored_;
  unsigned under_way_ = 0, most_at_once_ = 0;
  std::vector<std::thread> threads_;
};

}  // namespace cloakroom

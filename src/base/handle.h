// handle.h — owners for C things: a file descriptor, and anything freed by one function.
#pragma once

#include <unistd.h>

#include <memory>
#include <utility>

namespace cloakroom {

// using CurlEasy = std::unique_ptr<CURL, CDelete<curl_easy_cleanup>>;  the size of one pointer
template <auto Fn>
struct CDelete {
  template <class T>
  void operator()(T* p) const noexcept {
    Fn(p);
  }
};

class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) reset(std::exchange(other.fd_, -1));
    return *this;
  }
  UniqueFd(const UniqueFd&) = delete;
  UniqueFd& operator=(const UniqueFd&) = delete;
  ~UniqueFd() { reset(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }
  void reset(int fd = -1) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = fd;
  }

 private:
  int fd_ = -1;
};

}  // namespace cloakroom

// fcgi.cc — the few calls of libfcgi that a prefork worker needs.
#include "http/fcgi.h"

#include <fcntl.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <limits>
#include <utility>

#include "base/log.h"

namespace cloakroom {

Status fcgi_start() {
  if (FCGX_Init() != 0) return Error{Errc::kInternal, "libfcgi cannot be started"};
  return Ok{};
}

FcgiExchange::FcgiExchange(int listen_fd) {
  if (FCGX_InitRequest(&request_, listen_fd, FCGI_FAIL_ACCEPT_ON_INTR) != 0) BUG("FCGX_InitRequest failed");
  keep_reserve();
}

FcgiExchange::~FcgiExchange() {
  FCGX_Free(&request_, 1);
}

void FcgiExchange::keep_reserve() {
  if (!reserve_) reserve_.reset(::open("/dev/null", O_RDONLY | O_CLOEXEC));
}

bool FcgiExchange::accept() {
  int taken = FCGX_Accept_r(&request_);  // 0, or a negative errno
  if (taken != -EMFILE && taken != -ENFILE) {
    if (taken >= 0) short_of_descriptors_ = false;
    return taken >= 0;
  }
  if (!std::exchange(short_of_descriptors_, true)) log(Level::kError, "descriptors.exhausted", {{"errno", -taken}});
  reserve_.reset();
  taken = FCGX_Accept_r(&request_);
  if (taken >= 0) return true;
  keep_reserve();
  constexpr timespec kPause{0, 20'000'000};  // whoever waits for the descriptor is woken at once, again and again
  ::nanosleep(&kPause, nullptr);
  return false;
}

// Whether the front end's last byte was read. Where there is a body on its way nobody waits for it.
bool FcgiExchange::input_is_read() {
  if (input_ended_) return true;
  const auto length = variable("CONTENT_LENGTH");
  if (variable("REQUEST_BODY_FILE").empty() && !length.empty() && length != "0") return false;
  char none = 0;  // the record that ends the input is there with the variables
  return FCGX_GetStr(&none, 1, request_.in) == 0 && FCGX_GetError(request_.in) == 0;
}

bool FcgiExchange::is_abandoned() const {
  pollfd one{request_.ipcFd, 0, 0};
  return ::poll(&one, 1, 0) > 0 && (one.revents & (POLLHUP | POLLERR)) != 0;
}

// Keep-alive is off on nginx's side: a kept connection would tie one client to one single-threaded child.
// Before it closes, libfcgi waits up to two seconds for the front end to do so, lest unread input turn the answer into
// a reset. That costs a child up to a millisecond and three system calls a request; with nothing unread it is for
// nothing.
void FcgiExchange::finish() {
  if (input_is_read()) FCGX_Detach(&request_);
  FCGX_Finish_r(&request_);
  keep_reserve();
  input_ended_ = false;
}

std::string_view FcgiExchange::variable(const char* name) const {
  const char* value = FCGX_GetParam(name, request_.envp);
  return value != nullptr ? std::string_view(value) : std::string_view();
}

Result<std::size_t> FcgiExchange::read_body(std::span<std::byte> into) {
  const auto most = static_cast<int>(std::min<std::size_t>(into.size(), std::numeric_limits<int>::max()));
  const int got = FCGX_GetStr(reinterpret_cast<char*>(into.data()), most, request_.in);
  if (got < 0 || FCGX_GetError(request_.in) != 0) return Error{Errc::kInvalid, "the front end broke off in the body"};
  input_ended_ = got < most;
  return static_cast<std::size_t>(got);
}

Status FcgiExchange::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const auto most = static_cast<int>(std::min<std::size_t>(bytes.size(), 1 << 30));
    const int sent = FCGX_PutStr(reinterpret_cast<const char*>(bytes.data()), most, request_.out);
    if (sent <= 0) return Error{Errc::kInvalid, "the client went away"};
    bytes = bytes.subspan(static_cast<std::size_t>(sent));
  }
  return Ok{};
}

}  // namespace cloakroom

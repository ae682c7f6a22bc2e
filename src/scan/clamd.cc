// clamd.cc — a connection to clamd, never blocking for longer than it may.
#include "scan/clamd.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>

#include "base/handle.h"
#include "base/limits.h"
#include "scan/clamd_reply.h"

namespace cloakroom {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;
using AddressList = std::unique_ptr<addrinfo, CDelete<freeaddrinfo>>;

Error away(std::string what) {
  return Error{Errc::kScannerAway, "clamd: " + std::move(what), {}, true};
}

Error away(std::string_view operation, int number) {
  std::array<char, 128> text{};
  return away(
      std::string("cannot ").append(operation).append(": ").append(strerror_r(number, text.data(), text.size())));
}

// What is left of the time that the other side may take.
class Patience {
 public:
  explicit Patience(milliseconds all) : left_(all) {}

  // Until `events` can be done on `fd`.
  Status wait(int fd, short events) {
    while (true) {
      pollfd one{fd, events, 0};
      const auto begin = Clock::now();
      const auto most = std::chrono::ceil<milliseconds>(std::max(left_, Clock::duration(0)));
      const int ready = ::poll(&one, 1, static_cast<int>(most.count()));
      const int number = errno;
      left_ -= Clock::now() - begin;  // exactly: there may be many short waits
      if (ready > 0) return Ok{};
      if (ready == 0) return away("it took too long");
      if (number != EINTR) return away("wait", number);
    }
  }

 private:
  Clock::duration left_;
};

Result<UniqueFd> connect_to(const sockaddr* address, socklen_t size, Patience& patience) {
  UniqueFd fd(::socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return away("make a socket", errno);
  if (::connect(fd.get(), address, size) == 0) return fd;
  // EAGAIN: the queue of a Unix socket is full, and nobody tells when it no longer is
  if (errno != EINPROGRESS) return away("connect", errno);
  TRY(patience.wait(fd.get(), POLLOUT));
  int failed = 0;
  socklen_t length = sizeof failed;
  if (::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &failed, &length) != 0) failed = errno;
  if (failed != 0) return away("connect", failed);
  return fd;
}

Result<UniqueFd> connect_unix(const std::string& path, Patience& patience) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return away("the path of its socket is too long");
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return connect_to(reinterpret_cast<const sockaddr*>(&address), sizeof address, patience);
}

Result<UniqueFd> connect_tcp(const std::string& where, Patience& patience) {
  const std::size_t colon = where.rfind(':');
  if (colon == std::string::npos) return away("its address has no port");
  std::string host = where.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(host.c_str(), where.c_str() + colon + 1, &hints, &found) != 0) return away("its host is not known");
  const AddressList list(found);
  Result<UniqueFd> fd = away("its host has no address");
  for (const addrinfo* one = list.get(); one != nullptr && !fd; one = one->ai_next) {
    fd = connect_to(one->ai_addr, one->ai_addrlen, patience);
  }
  return fd;
}

// One command and its answer.
class Session final : public ByteSink {
 public:
  Session(UniqueFd fd, milliseconds timeout) : fd_(std::move(fd)), patience_(timeout) {}

  Status send(std::string_view text) {
    iovec one{const_cast<char*>(text.data()), text.size()};
    return send_all({&one, 1});
  }

  // A chunk. The first error stays: after it nothing is sent any more.
  Status write(std::span<const std::byte> bytes) override {
    if (failed_) return *failed_;
    if (bytes.empty()) return Ok{};  // would end the stream
    const std::uint32_t length = htonl(static_cast<std::uint32_t>(bytes.size()));
    std::array<iovec, 2> parts{
        {{const_cast<std::uint32_t*>(&length), sizeof length}, {const_cast<std::byte*>(bytes.data()), bytes.size()}}};
    Status sent = send_all(parts);
    if (!sent) failed_ = sent.error();
    return sent;
  }

  // Up to its zero byte.
  Result<std::string> reply() {
    std::string text;
    std::array<char, limits::kScannerReplyBytes> block;
    while (text.size() < limits::kScannerReplyBytes) {
      const ssize_t got = ::recv(fd_.get(), block.data(), block.size() - text.size(), 0);
      if (got > 0) {
        text.append(block.data(), static_cast<std::size_t>(got));
        const std::size_t end = text.find('\0');
        if (end == std::string::npos) continue;
        if (end + 1 != text.size()) return away("its answer is followed by something");
        text.resize(end);
        return text;
      }
      if (got == 0) return away(text.empty() ? "it closed the connection without an answer" : "its answer is cut");
      if (errno == EINTR) continue;
      if (errno != EAGAIN) return away("read its answer", errno);
      TRY(patience_.wait(fd_.get(), POLLIN));
    }
    return away("its answer is too long");
  }

  const std::optional<Error>& failed() const { return failed_; }

 private:
  Status send_all(std::span<iovec> parts) {
    while (!parts.empty()) {
      msghdr message{};
      message.msg_iov = parts.data();
      message.msg_iovlen = parts.size();
      const ssize_t sent = ::sendmsg(fd_.get(), &message, MSG_NOSIGNAL);
      if (sent < 0) {
        if (errno == EINTR) continue;
        if (errno != EAGAIN) return away("send", errno);
        TRY(patience_.wait(fd_.get(), POLLOUT));
        continue;
      }
      auto left = static_cast<std::size_t>(sent);
      while (!parts.empty() && left >= parts.front().iov_len) {
        left -= parts.front().iov_len;
        parts = parts.subspan(1);
      }
      if (parts.empty()) break;
      parts.front().iov_base = static_cast<char*>(parts.front().iov_base) + left;
      parts.front().iov_len -= left;
    }
    return Ok{};
  }

  UniqueFd fd_;
  Patience patience_;
  std::optional<Error> failed_;
};

Result<Session> open_session(const ClamdOptions& options) {
  Patience patience(options.connect_timeout);
  const bool is_path = options.address.starts_with('/');
  TRY_ASSIGN(UniqueFd fd, is_path ? connect_unix(options.address, patience) : connect_tcp(options.address, patience));
  return Session(std::move(fd), options.timeout);
}

}  // namespace

Result<std::string> Clamd::ask(std::string_view command) {
  ClamdOptions quick = options_;
  quick.timeout = std::min(quick.timeout, 2 * quick.connect_timeout);
  TRY_ASSIGN(Session session, open_session(quick));
  TRY(session.send(command));
  return session.reply();
}

Status Clamd::ready() {
  TRY_ASSIGN(const std::string answer, ask(std::string_view("zPING\0", 6)));
  if (answer != "PONG") return away("it answered " + quoted_reply(answer));
  return Ok{};
}

Result<std::string> Clamd::version() {
  return ask(std::string_view("zVERSION\0", 9));
}

Result<std::uint64_t> Clamd::signatures() {
  TRY_ASSIGN(const std::string answer, version());
  return parse_clamd_version(answer);
}

Result<ScanVerdict> Clamd::scan(const ByteSource& bytes) {
  if (has_failed_) TRY(ready());
  auto verdict = scan_now(bytes);
  has_failed_ = !verdict && verdict.error().code == Errc::kScannerAway;
  return verdict;
}

Result<ScanVerdict> Clamd::scan_now(const ByteSource& bytes) {
  TRY_ASSIGN(Session session, open_session(options_));
  TRY(session.send(std::string_view("zINSTREAM\0", 10)));
  Status sent = bytes(session);
  if (!sent && !session.failed()) return std::move(sent).error();
  if (!session.failed()) sent = session.send(std::string_view("\0\0\0\0", 4));
  // It hangs up in the middle when the stream is too long for it, and says so before.
  const auto answer = session.reply();
  if (!answer) return sent ? answer.error() : std::move(sent).error();
  TRY_ASSIGN(ScanVerdict verdict, parse_clamd_verdict(*answer));
  // A verdict on bytes that it has not got is none.
  // The source may have gone on without us: then it knows of no failure.
  if (session.failed()) sent = *session.failed();
  if (!sent && verdict.outcome == ScanOutcome::kClean) return std::move(sent).error();
  return verdict;
}

}  // namespace cloakroom

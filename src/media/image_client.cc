// image_client.cc — connects, hands over descriptors, and waits no longer than it may.
#include "media/image_client.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <span>

#include "base/limits.h"
#include "media/image_protocol.h"

namespace cloakroom {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

// A picture of one pixel, to see that somebody is there who understands it.
constexpr std::string_view kOnePixel(
    "GIF89a\x01\x00\x01\x00\x80\x00\x00\xff\xff\xff\x00\x00\x00,"
    "\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02\x44\x01\x00;",
    35);

Error away(std::string what) {
  return Error{Errc::kImagerAway, "imager: " + std::move(what), {}, true};
}

Error away(std::string_view operation, int number) {
  return away(errno_error(operation, "the picture maker", number).detail);
}

constexpr unsigned kMostTurns = 64;  // each has met another process, which has ended since

// What the picture maker may know of. It has the last word.
bool may_have_picture(std::string_view mime_type) {
  return mime_type.starts_with("image/") || mime_type.starts_with("video/") || mime_type.starts_with("audio/") ||
         mime_type == "application/pdf" || mime_type == "application/ogg";
}

// Of which the picture maker reads no more than it needs; a picture it has whole.
bool is_film(std::string_view mime_type) {
  return mime_type.starts_with("video/") || mime_type.starts_with("audio/");
}

Result<UniqueFd> connect_to(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return away("the path of its socket is too long");
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return away("make a socket to", errno);
  // EAGAIN: its queue is full, and nobody tells when it no longer is
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return away("connect to", errno);
  }
  return fd;
}

// One try. `unread`: the other side has closed without having read the question.
struct Turn {
  Result<std::string> answer;
  bool unread = false;
};

Turn failed(std::string_view operation, int number) {
  return {away(operation, number), number == ECONNRESET || number == EPIPE};
}

std::optional<Turn> send_question(int socket, const std::string& text, std::span<const int> descriptors) {
  iovec part{const_cast<char*>(text.data()), text.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(2 * sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
  cmsghdr* const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(descriptors.size_bytes());
  std::memcpy(CMSG_DATA(header), descriptors.data(), descriptors.size_bytes());
  if (::sendmsg(socket, &message, MSG_NOSIGNAL) < 0) return failed("ask", errno);
  return std::nullopt;
}

Turn receive_answer(int socket, Clock::time_point deadline) {
  std::string text(limits::kImageMessageBytes, '\0');
  for (;;) {
    // MSG_TRUNC: how long it was, even if it is longer; descriptors that come along are closed by the kernel
    const ssize_t got = ::recv(socket, text.data(), text.size(), MSG_TRUNC);
    if (got > static_cast<ssize_t>(text.size())) return {Error{Errc::kUndecodable, "imager: its answer is too long"}};
    if (got > 0) {
      text.resize(static_cast<std::size_t>(got));
      return {std::move(text)};
    }
    if (got == 0) return {Error{Errc::kUndecodable, "imager: its process ended over this file", {}, true}};
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return failed("read the answer of", errno);
    const auto left = std::chrono::ceil<milliseconds>(deadline - Clock::now()).count();
    pollfd one{socket, POLLIN, 0};
    if (left <= 0 || ::poll(&one, 1, static_cast<int>(left)) == 0) return {away("it took too long")};
  }
}

Result<std::string> ask(const ImageClientOptions& options, const ImageQuestion& question,
                        std::span<const int> descriptors) {
  const auto deadline = Clock::now() + options.timeout;
  for (unsigned turn = 1;; ++turn) {
    TRY_ASSIGN(const UniqueFd socket, connect_to(options.socket));
    auto tried = send_question(socket.get(), image_question(question), descriptors);
    if (!tried) tried = receive_answer(socket.get(), deadline);
    // by a process that was about to end, or that makes JPEGs alone: another one will read it
    if (!tried->unread || turn == kMostTurns || Clock::now() >= deadline) return std::move(tried->answer);
  }
}

// What a helper is given it could also write to, if we can: so it gets a description of its own that only reads.
struct ReadOnly {
  UniqueFd own;  // where one had to be made
  int fd = -1;
};

Result<ReadOnly> read_only(int fd) {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0) return errno_error("look at", "the file", errno);
  if ((flags & O_ACCMODE) == O_RDONLY) return ReadOnly{{}, fd};
  TRY_ASSIGN(UniqueFd own, open_file("/proc/self/fd/" + std::to_string(fd), O_RDONLY));
  const int number = own.get();
  return ReadOnly{std::move(own), number};
}

Status check_kind(const FileRange& bytes, std::string_view mime_type) {
  if (!may_have_picture(mime_type)) return Error{Errc::kUnsupportedType, "imager: no pictures of this type"};
  if (bytes.size == 0) return Error{Errc::kUndecodable, "imager: the file is empty"};
  if (bytes.size > limits::kImageInputBytes && !is_film(mime_type))
    return Error{Errc::kUndecodable, "imager: the file is too large"};
  return Ok{};
}

Result<UniqueFd> memory_file() {
  UniqueFd fd(::memfd_create("picture", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd) return errno_error("make", "a memory file", errno);
  return fd;
}

// From here on its bytes are what they are. Gives their number.
Result<std::uint64_t> seal(int fd) {
  if (::fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0) {
    return Error{Errc::kUndecodable, errno_error("imager: seal", "its picture", errno).detail};
  }
  struct stat info {};
  if (::fstat(fd, &info) != 0) return errno_error("imager: measure", "its picture", errno);
  const auto size = static_cast<std::uint64_t>(info.st_size);
  if (size == 0 || size > limits::kImageOutputBytes)
    return Error{Errc::kUndecodable, "imager: its picture has no size"};
  if (::lseek(fd, 0, SEEK_SET) != 0) return errno_error("imager: rewind", "its picture", errno);
  return size;
}

}  // namespace

Result<ImageFacts> ImageClient::probe(const FileRange& bytes, std::string_view mime_type) {
  TRY(check_kind(bytes, mime_type));
  TRY_ASSIGN(const ReadOnly file, read_only(bytes.fd));
  const std::array descriptors{file.fd};
  TRY_ASSIGN(
      const std::string answer,
      ask(options_, {.mime_type = std::string(mime_type), .offset = bytes.offset, .size = bytes.size}, descriptors));
  return parse_probe_answer(answer);
}

Result<Rendered> ImageClient::render(const FileRange& bytes, std::string_view mime_type, const Rendering& wanted) {
  TRY(check_kind(bytes, mime_type));
  TRY_ASSIGN(UniqueFd file, memory_file());
  TRY_ASSIGN(const ReadOnly original, read_only(bytes.fd));
  const std::array descriptors{original.fd, file.get()};
  TRY_ASSIGN(const std::string answer, ask(options_,
                                           {.operation = ImageQuestion::Operation::kRender,
                                            .mime_type = std::string(mime_type),
                                            .offset = bytes.offset,
                                            .size = bytes.size,
                                            .wanted = wanted},
                                           descriptors));
  TRY_ASSIGN(const RenderedFacts facts, parse_render_answer(answer, wanted));
  TRY_ASSIGN(const std::uint64_t size, seal(file.get()));
  return Rendered{facts.width, facts.height, size, facts.format, std::move(file)};
}

Status ImageClient::ready() {
  TRY_ASSIGN(const UniqueFd file, memory_file());
  TRY(write_all(file.get(), std::as_bytes(std::span(kOnePixel))));
  TRY_ASSIGN(const ImageFacts facts, probe({file.get(), 0, kOnePixel.size()}, "image/gif"));
  if (facts.width != 1 || facts.height != 1) return Error{Errc::kUndecodable, "imager: it does not know one pixel"};
  return Ok{};
}

}  // namespace cloakroom

// serve.cc — receives, reads or maps the file, and lets the operation run.
#include "imaging/serve.h"

#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/handle.h"
#include "base/limits.h"
#include "base/log.h"
#include "imaging/confine.h"
#include "imaging/kinds.h"
#include "imaging/picture.h"
#include "imaging/render.h"
#include "media/image_protocol.h"

namespace cloakroom {
namespace {

constexpr std::string_view kJpeg = "image/jpeg";

struct Received {
  std::string text;
  std::vector<UniqueFd> files;
};

Result<Received> receive(int connection) {
  Received all;
  all.text.resize(limits::kImageMessageBytes);
  alignas(cmsghdr) std::array<char, CMSG_SPACE(2 * sizeof(int))> control{};
  iovec part{all.text.data(), all.text.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  ssize_t got = 0;
  do {
    got = ::recvmsg(connection, &message, MSG_CMSG_CLOEXEC);
  } while (got < 0 && errno == EINTR);
  if (got < 0) return errno_error("receive", "a question", errno);
  for (cmsghdr* h = CMSG_FIRSTHDR(&message); h != nullptr; h = CMSG_NXTHDR(&message, h)) {
    if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(h) + i * sizeof fd, sizeof fd);
      all.files.emplace_back(fd);
    }
  }
  if (got == 0) return Error{Errc::kInvalid, "a client went without a question"};
  if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) return Error{Errc::kInvalid, "the question is too long"};
  all.text.resize(static_cast<std::size_t>(got));
  return all;
}

constexpr std::uint64_t kReadBytes = 4ULL << 20;  // what is no larger is read: pages cost more than copies

// Part of a file as memory, for as long as this lives: read, or mapped where it is large. Its owner must not shorten a
// mapped one meanwhile: SIGBUS.
class FileBytes {
 public:
  static Result<FileBytes> of(int fd, std::uint64_t offset, std::uint64_t size) {
    struct stat info {};
    if (::fstat(fd, &info) != 0) return errno_error("look at", "the file", errno);
    const auto whole = static_cast<std::uint64_t>(info.st_size);
    if (!S_ISREG(info.st_mode) || size == 0 || size > limits::kImageInputBytes || offset > whole ||
        size > whole - offset) {
      return Error{Errc::kInvalid, "the file has no such range"};
    }
    return size <= kReadBytes ? read(fd, offset, size) : map(fd, offset, size);
  }
  FileBytes(FileBytes&& other) noexcept
      : read_(std::move(other.read_)),
        mapped_(std::exchange(other.mapped_, nullptr)),
        size_(other.size_),
        before_(other.before_) {}
  FileBytes(const FileBytes&) = delete;
  FileBytes& operator=(const FileBytes&) = delete;
  FileBytes& operator=(FileBytes&&) = delete;
  ~FileBytes() {
    if (mapped_ != nullptr) ::munmap(mapped_, size_);
  }

  std::span<const std::byte> bytes() const { return {(read_ ? read_.get() : mapped_) + before_, size_ - before_}; }

 private:
  FileBytes() = default;

  static Result<FileBytes> read(int fd, std::uint64_t offset, std::uint64_t size) {
    FileBytes out;
    out.read_.reset(new std::byte[size]);  // not make_unique: that would write zeros first
    out.size_ = size;
    TRY_ASSIGN(const std::size_t got, read_at(fd, {out.read_.get(), static_cast<std::size_t>(size)}, offset));
    if (got != size) return Error{Errc::kInvalid, "the file has no such range"};
    return out;
  }
  static Result<FileBytes> map(int fd, std::uint64_t offset, std::uint64_t size) {
    static const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    FileBytes out;
    out.before_ = offset % page;
    out.size_ = size + out.before_;
    void* const at = ::mmap(nullptr, out.size_, PROT_READ, MAP_PRIVATE, fd, static_cast<off_t>(offset - out.before_));
    if (at == MAP_FAILED) return errno_error("map", "the file", errno);
    out.mapped_ = static_cast<std::byte*>(at);
    return out;
  }

  std::unique_ptr<std::byte[]> read_;
  std::byte* mapped_ = nullptr;
  std::size_t size_ = 0, before_ = 0;
};

// While this lives nothing reaches the log: libraries (glib, poppler) print what they find in a file, line ends
// included.
class Quiet {
 public:
  explicit Quiet(int nowhere) : log_(::dup(STDERR_FILENO)) { ::dup2(nowhere, STDERR_FILENO); }
  Quiet(const Quiet&) = delete;
  Quiet& operator=(const Quiet&) = delete;
  ~Quiet() { ::dup2(log_.get(), STDERR_FILENO); }

 private:
  UniqueFd log_;
};

// Of a film its length, of a sound no sides: what it has for a picture was drawn by us.
ImageFacts facts_of(const Picture& picture, const FilmFacts* film) {
  ImageFacts facts{.width = picture.width,
                   .height = picture.height,
                   .frames = picture.frames,
                   .duration_ms = picture.duration_ms,
                   .has_alpha = picture.has_alpha};
  if (film == nullptr) return facts;
  facts.duration_ms = film->duration_ms;
  if (!film->has_pictures) facts.width = facts.height = 0;
  return facts;
}

Result<std::string> operate_on(const Picture& picture, const ImageQuestion& q, const Received& from,
                               const FilmFacts* film) {
  if (q.operation == ImageQuestion::Operation::kProbe) {
    ImageFacts facts = facts_of(picture, film);
    if (facts.width > 0) {
      TRY_ASSIGN(facts.placeholder, placeholder_of(picture));
    }
    return probe_answer(facts);
  }
  TRY_ASSIGN(const RenderedFacts facts, render_picture(picture, q.wanted, from.files[1].get()));
  return render_answer(facts);
}

Result<std::string> operate_on_film(const ImageQuestion& q, const Received& from, const ServeOptions& options) {
  const FileRange film{from.files[0].get(), q.offset, q.size, {}};
  TRY_ASSIGN(const Still still, still_of(options.films, film, q.mime_type, options.nowhere));
  TRY(options.settle());
  TRY_ASSIGN(const FileBytes file, FileBytes::of(still.file.get(), 0, still.size_bytes));
  TRY_ASSIGN(const Picture picture, open_picture(file.bytes(), still.mime_type, options.max_pixels));
  return operate_on(picture, q, from, &still.facts);
}

Result<std::string> operate(const ImageQuestion& q, const Received& from, const ServeOptions& options) {
  if (may_have_still(options.films, q.mime_type)) return operate_on_film(q, from, options);
  TRY(options.settle());
  TRY_ASSIGN(const FileBytes file, FileBytes::of(from.files[0].get(), q.offset, q.size));
  TRY_ASSIGN(const ImageKind kind, kind_of(q.mime_type));
  const bool is_probe = q.operation == ImageQuestion::Operation::kProbe;
  limit_cpu_from_now(std::chrono::seconds(is_probe ? limits::kProbeSeconds : 0));  // 0: that of an earlier one ends
  if (kind.is_drawn) limit_cpu_from_now(std::chrono::seconds(limits::kDrawingSeconds));
  TRY_ASSIGN(const Picture picture, open_picture(file.bytes(), q.mime_type, options.max_pixels));
  return operate_on(picture, q, from, nullptr);
}

// Who had to queue for longer than he waits has hung up, and his question is still read.
bool is_waited_for(int connection) {
  pollfd one{connection, 0, 0};
  return ::poll(&one, 1, 0) <= 0 || (one.revents & (POLLHUP | POLLERR)) == 0;
}

// What the file is to blame for, and would be again. All else is ours, or of this moment.
bool is_verdict(const Error& error) {
  return !error.retryable && (error.code == Errc::kUndecodable || error.code == Errc::kUnsupportedType);
}

}  // namespace

bool is_about_jpeg(int connection) {
  std::string text(limits::kImageMessageBytes, '\0');
  iovec part{text.data(), text.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  const ssize_t got = ::recvmsg(connection, &message, MSG_PEEK);  // without room for descriptors none comes along
  if (got <= 0) return false;
  text.resize(static_cast<std::size_t>(got));
  const auto question = parse_image_question(text);
  return question && question->mime_type == kJpeg;
}

Result<bool> serve_question(int connection, const ServeOptions& options) {
  const auto begin = std::chrono::steady_clock::now();
  TRY_ASSIGN(const Received received, receive(connection));
  TRY_ASSIGN(const ImageQuestion question, parse_image_question(received.text));
  const bool renders = question.operation == ImageQuestion::Operation::kRender;
  if (received.files.size() != (renders ? 2U : 1U)) return Error{Errc::kInvalid, "the question lacks its files"};
  if (!is_waited_for(connection)) {
    log(Level::kInfo, "image.skipped", {{"op", renders ? "render" : "probe"}, {"type", question.mime_type}});
    return false;
  }
  const auto done = [&] {
    const Quiet quiet(options.nowhere);
    return operate(question, received, options);
  }();
  if (!done && !is_verdict(done.error())) return Error{Errc::kInternal, done.error().detail};
  const std::string answer = done ? *done : error_answer(done.error());
  if (::send(connection, answer.data(), answer.size(), MSG_NOSIGNAL) < 0) {
    return errno_error("answer", "a question", errno);
  }
  const auto ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin).count();
  log(Level::kInfo, "image.done",
      {{"op", renders ? "render" : "probe"},
       {"type", question.mime_type},
       {"ms", ms},
       {"detail", done ? std::string() : done.error().detail}});
  return done && question.mime_type == kJpeg;
}

}  // namespace cloakroom

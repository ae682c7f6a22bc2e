// body.cc — finds or spools the body file.
#include "http/body.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

namespace cloakroom {
namespace {

Error too_large(std::uint64_t most) {
  return refuse(Errc::kTooLarge, fmt::format("The request is larger than {} bytes.", most));
}

Error cut() {
  return refuse(Errc::kInvalid, "The body is not as long as Content-Length says; it was cut on the way.");
}

// Only files that nginx made: a name from elsewhere would let a misconfigured front end read any file.
Status open_spooled(std::string_view name, const BodyRules& rules, Body& body) {
  const std::string prefix = rules.temp_path + "/";
  if (!name.starts_with(prefix) || name.find("..") != std::string_view::npos) {
    return Error{Errc::kInternal, fmt::format("REQUEST_BODY_FILE is not below BODY_TEMP_PATH '{}'", rules.temp_path)};
  }
  body.path = name;
  auto fd = open_file(body.path, O_RDWR | O_NOFOLLOW);
  if (!fd && fd.error().code == Errc::kUnavailable) return fd.error();
  if (!fd) return Error{Errc::kInternal, fd.error().detail + "; does the worker run as nginx's user?"};
  body.fd = *std::move(fd);
  struct stat info {};
  if (::fstat(body.fd.get(), &info) != 0) return errno_error("find the size of", body.path, errno);
  body.range = FileRange{body.fd.get(), 0, static_cast<std::uint64_t>(info.st_size), body.path};
  return Ok{};
}

Status spool(const Request& request, const BodyRules& rules, Body& body) {
  TRY_ASSIGN(body.fd, open_nameless(rules.temp_path));
  std::uint64_t size = 0;
  const std::uint64_t expected = *request.content_length;
  while (size < expected) {
    const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(copy_buffer().size(), expected - size));
    TRY_ASSIGN(const std::size_t got, request.exchange->read_body(copy_buffer().first(want)));
    if (got == 0) break;
    TRY(write_all(body.fd.get(), copy_buffer().first(got)));
    size += got;
  }
  body.range = FileRange{body.fd.get(), 0, size, {}};
  return Ok{};
}

}  // namespace

Status open_body(const Request& request, const BodyRules& rules, Body& body) {
  if (request.content_length && *request.content_length > rules.max_request_bytes)
    return too_large(rules.max_request_bytes);
  const std::string_view spooled = request.header("REQUEST_BODY_FILE");
  if (!spooled.empty()) {
    TRY(open_spooled(spooled, rules, body));
  } else if (!request.content_length) {
    // without a length a body that was cut looks like a whole one; nginx always tells it
    return Error{Errc::kLengthRequired, "a body without CONTENT_LENGTH"};
  } else if (*request.content_length > 0) {
    TRY(spool(request, rules, body));
  } else {
    TRY_ASSIGN(body.fd, open_file("/dev/null", O_RDONLY));
    body.range = FileRange{body.fd.get(), 0, 0, {}};
  }
  if (request.content_length && *request.content_length != body.range.size) return cut();
  if (body.range.size > rules.max_request_bytes) return too_large(rules.max_request_bytes);
  return Ok{};
}

Result<std::string> read_small_body(const Request& request, const BodyRules& rules, std::size_t most_bytes) {
  const std::uint64_t announced = request.content_length.value_or(0);
  if (announced > most_bytes) return too_large(most_bytes);
  std::string text;
  if (const std::string_view spooled = request.header("REQUEST_BODY_FILE"); !spooled.empty()) {
    Body body;
    TRY(open_spooled(spooled, rules, body));
    if (body.range.size > most_bytes) return too_large(most_bytes);
    text.resize(static_cast<std::size_t>(body.range.size));
    TRY_ASSIGN(const std::size_t got, read_at(body.fd.get(), std::as_writable_bytes(std::span(text)), 0));
    text.resize(got);
  } else {
    text.resize(static_cast<std::size_t>(announced));
    std::size_t done = 0;
    while (done < text.size()) {
      TRY_ASSIGN(const std::size_t got,
                 request.exchange->read_body(std::as_writable_bytes(std::span(text)).subspan(done)));
      if (got == 0) break;
      done += got;
    }
    text.resize(done);
  }
  if (request.content_length && text.size() != announced) return cut();
  return text;
}

}  // namespace cloakroom

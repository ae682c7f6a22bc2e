// imaging_serve_test.cc — a question on a connection: answered while somebody waits, left where nobody does.
#include "imaging/serve.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <string>

#include "base/file.h"
#include "base/log.h"
#include "check.h"
#include "imaging/vips.h"
#include "media/image_protocol.h"

using namespace cloakroom;

namespace {

constexpr std::string_view kGif(
    "GIF89a\x01\x00\x01\x00\x80\x00\x00\xff\xff\xff\x00\x00\x00,"
    "\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02\x44\x01\x00;",
    35);

UniqueFd memory_file(std::string_view bytes) {
  UniqueFd fd(::memfd_create("picture", MFD_CLOEXEC));
  CHECK_OK(write_all(fd.get(), std::as_bytes(std::span(bytes))));
  return fd;
}

struct World {
  UniqueFd client, server, original = memory_file(kGif), made = memory_file(""), nowhere;

  World() {
    set_log_level(Level::kError);
    std::array<int, 2> ends{};
    CHECK_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()), 0);
    client.reset(ends[0]);
    server.reset(ends[1]);
    nowhere = CHECK_OK(open_file("/dev/null", O_WRONLY | O_CLOEXEC));
  }
  void ask() const {
    const std::string text = image_question({.operation = ImageQuestion::Operation::kRender,
                                             .mime_type = "image/gif",
                                             .offset = 0,
                                             .size = kGif.size(),
                                             .wanted = {.format = ImageFormat::kPng}});
    const std::array files{original.get(), made.get()};
    iovec part{const_cast<char*>(text.data()), text.size()};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof files)> control{};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof files);
    std::memcpy(CMSG_DATA(header), files.data(), sizeof files);
    CHECK(::sendmsg(client.get(), &message, MSG_NOSIGNAL) > 0);
  }
  Result<bool> serve(const Status& settled = Ok{}) const {
    return serve_question(server.get(),
                          {.max_pixels = 1000, .settle = [&] { return settled; }, .nowhere = nowhere.get()});
  }
  bool is_answered() const {
    char byte = 0;
    return ::recv(client.get(), &byte, 1, MSG_DONTWAIT) > 0;
  }
  off_t made_bytes() const { return ::lseek(made.get(), 0, SEEK_END); }
};

}  // namespace

static void who_waits_gets_his_picture() {
  const World w;
  w.ask();
  CHECK_OK(w.serve());
  std::string answer(4096, '\0');
  answer.resize(static_cast<std::size_t>(std::max<ssize_t>(0, ::recv(w.client.get(), answer.data(), 4096, 0))));
  const RenderedFacts facts = CHECK_OK(parse_render_answer(answer, {.format = ImageFormat::kPng}));
  CHECK(facts.width == 1 && facts.height == 1 && w.made_bytes() > 0);
}

static void for_who_has_hung_up_nothing_is_decoded() {
  World w;
  w.ask();
  w.client.reset();
  CHECK_OK(w.serve());
  CHECK_EQ(w.made_bytes(), 0);
}

static void who_goes_without_a_question_is_an_error() {
  World w;
  w.client.reset();
  CHECK_ERR(w.serve(), Errc::kInvalid);
}

static void a_broken_picture_gets_a_verdict() {
  const World w;
  CHECK(::pwrite(w.original.get(), "x", 1, 0) == 1);
  w.ask();
  CHECK_OK(w.serve());
  CHECK(w.is_answered());
}

static void a_fault_of_ours_is_no_verdict_on_a_picture() {
  const World unsettled;
  unsettled.ask();
  CHECK_ERR(unsettled.serve(Error{Errc::kInternal, "sandbox: refused"}), Errc::kInternal);
  CHECK(!unsettled.is_answered());
  const World shortened;
  CHECK_EQ(::ftruncate(shortened.original.get(), 5), 0);
  shortened.ask();
  CHECK_ERR(shortened.serve(), Errc::kInternal);
  CHECK(!shortened.is_answered());
}

int main() {
  if (!start_vips("imaging_serve_test")) return 1;
  const CMUnitTest tests[] = {
      CASE(who_waits_gets_his_picture),
      CASE(for_who_has_hung_up_nothing_is_decoded),
      CASE(who_goes_without_a_question_is_an_error),
      CASE(a_broken_picture_gets_a_verdict),
      CASE(a_fault_of_ours_is_no_verdict_on_a_picture),
  };
  return RUN_TESTS("imaging_serve", tests);
}

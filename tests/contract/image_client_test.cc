// image_client_test.cc — the client beside the real cloakroom-image, and beside helpers that hang, die and lie.
#include "media/image_client.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <chrono>
#include <cstdlib>
#include <string>

#include "base/limits.h"
#include "check.h"
#include "fake/temp_folder.h"
#include "media/image_protocol.h"
#include "scripted_imager.h"

using namespace cloakroom;  // NOLINT: a test
using fake::TempFolder;
using std::chrono::milliseconds;
using Question = ScriptedImager::Question;

namespace {

constexpr std::string_view kGif(
    "GIF89a\x01\x00\x01\x00\x80\x00\x00\xff\xff\xff\x00\x00\x00,"
    "\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02\x44\x01\x00;",
    35);

// An open file with these bytes, which may be written to, as a spooled body may.
UniqueFd file_of(std::string_view bytes) {
  UniqueFd fd(::memfd_create("original", MFD_CLOEXEC));
  CHECK_OK(write_all(fd.get(), std::as_bytes(std::span(bytes))));
  return fd;
}

Result<ImageFacts> probe(const std::string& socket, std::string_view bytes, std::string_view type,
                         milliseconds timeout = milliseconds(5000)) {
  const UniqueFd fd = file_of(bytes);
  return ImageClient({socket, timeout}).probe({fd.get(), 0, bytes.size()}, type);
}

Result<Rendered> render(const std::string& socket, const Rendering& wanted = {250, 0, ImageFormat::kPng}) {
  const UniqueFd fd = file_of(kGif);
  return ImageClient({socket, milliseconds(5000)}).render({fd.get(), 0, kGif.size()}, "image/gif", wanted);
}

// The real program, beside this test in the folder of builds.
class RealImager {
 public:
  RealImager() {
    std::string self(4096, '\0');
    self.resize(static_cast<std::size_t>(std::max<ssize_t>(0, ::readlink("/proc/self/exe", self.data(), self.size()))));
    for (int up = 0; up < 3; ++up) self.resize(self.rfind('/'));
    const std::string program = self + "/cloakroom-image";
    pid_ = ::fork();
    if (pid_ == 0) {
      const std::string path = socket();
      ::setenv("LOG_LEVEL", "error", 1);
      ::execl(program.c_str(), program.c_str(), "--socket", path.c_str(), nullptr);
      ::_exit(127);
    }
    for (int i = 0; i < 1000 && !ImageClient({socket(), milliseconds(2000)}).ready(); ++i) ::usleep(10'000);
  }
  RealImager(const RealImager&) = delete;
  RealImager& operator=(const RealImager&) = delete;
  ~RealImager() { end(); }

  // Its exit code after SIGTERM.
  int end() {
    if (pid_ <= 0) return -1;
    int status = 0;
    ::kill(pid_, SIGTERM);
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  std::string socket() const { return folder_ / "s"; }

 private:
  TempFolder folder_;
  pid_t pid_ = -1;
};

#ifdef SANITIZED
constexpr bool kCanConfine = false;  // the shadow memory is beyond any limit of addresses
#else
constexpr bool kCanConfine = true;
#endif

}  // namespace

static void the_real_program_looks_and_renders_and_ends_when_told() {
  if (!kCanConfine) return;
  RealImager imager;
  CHECK_OK(ImageClient({imager.socket(), milliseconds(5000)}).ready());
  const ImageFacts facts = CHECK_OK(probe(imager.socket(), kGif, "image/gif"));
  CHECK_EQ(facts.width, 1U);
  CHECK_EQ(facts.frames, 1U);
  CHECK(facts.placeholder.starts_with("data:image/webp;base64,UklGR"));
  const Rendered made = CHECK_OK(render(imager.socket()));
  std::string head(8, '\0');
  CHECK_EQ(CHECK_OK(read_at(made.file.get(), std::as_writable_bytes(std::span(head)), 0)), 8U);
  CHECK_EQ(head, std::string("\x89PNG\r\n\x1a\n"));
  CHECK_EQ(made.width, 1U);
  CHECK_ERR(probe(imager.socket(), "not a picture", "image/gif"), Errc::kUndecodable);
  CHECK_ERR(probe(imager.socket(), kGif, "image/x-of-nobody"), Errc::kUnsupportedType);
  CHECK_EQ(imager.end(), 0);
  CHECK_ERR(probe(imager.socket(), kGif, "image/gif"), Errc::kImagerAway);
}

static void a_range_within_a_file_is_what_is_looked_at() {
  if (!kCanConfine) return;
  const RealImager imager;
  const std::string before(5000, 'x');
  const UniqueFd fd = file_of(before + std::string(kGif) + "after");
  ImageClient client({imager.socket(), milliseconds(5000)});
  CHECK_EQ(CHECK_OK(client.probe({fd.get(), 5000, kGif.size()}, "image/gif")).width, 1U);
  CHECK_ERR(client.probe({fd.get(), 4999, kGif.size()}, "image/gif"), Errc::kUndecodable);
}

static void what_never_has_a_picture_is_not_asked_about() {
  CHECK_ERR(probe("/nonexistent", "text", "text/plain"), Errc::kUnsupportedType);
  CHECK_ERR(probe("/nonexistent", "", "image/png"), Errc::kUndecodable);
  CHECK_ERR(probe("/nonexistent", "x", "image/png"), Errc::kImagerAway);
}

static void what_is_too_large_is_not_asked_about_and_for_ever() {
  const UniqueFd fd = file_of(kGif);
  CHECK_EQ(::ftruncate(fd.get(), static_cast<off_t>(limits::kImageInputBytes) + 1), 0);
  ImageClient nobody({"/nonexistent", milliseconds(1000)});
  CHECK_ERR(nobody.probe({fd.get(), 0, limits::kImageInputBytes}, "image/gif"), Errc::kImagerAway);
  const auto looked = nobody.probe({fd.get(), 0, limits::kImageInputBytes + 1}, "image/gif");
  CHECK_ERR(looked, Errc::kUndecodable);
  CHECK(!looked.error().retryable);  // so the row remembers it
  const auto made = nobody.render({fd.get(), 0, limits::kImageInputBytes + 1}, "image/gif", {});
  CHECK(!made && made.error().code == Errc::kUndecodable && !made.error().retryable);
}

static void a_film_may_be_larger_than_a_picture() {
  const UniqueFd fd = file_of("x");
  ImageClient client({"/nonexistent", milliseconds(5000)});
  const FileRange large{fd.get(), 0, (256ULL << 20) + 1};
  CHECK_ERR(client.probe(large, "image/png"), Errc::kUndecodable);
  CHECK_ERR(client.probe(large, "video/mp4"), Errc::kImagerAway);
  CHECK_ERR(client.probe(large, "audio/mpeg"), Errc::kImagerAway);
}

static void silence_is_away_after_the_timeout() {
  ScriptedImager imager([](Question&) { ::usleep(1'000'000); });
  const auto begin = std::chrono::steady_clock::now();
  const auto answer = probe(imager.path(), kGif, "image/gif", milliseconds(100));
  CHECK_ERR(answer, Errc::kImagerAway);
  CHECK(answer.error().retryable);
  CHECK(std::chrono::steady_clock::now() - begin < milliseconds(900));
}

static void a_helper_that_dies_over_a_picture_is_not_asked_again_one_that_never_read_is() {
  {
    ScriptedImager imager([](Question&) {});
    CHECK_ERR(probe(imager.path(), kGif, "image/gif"), Errc::kUndecodable);
  }
  ScriptedImager imager([](Question&) {}, false);
  CHECK_ERR(probe(imager.path(), kGif, "image/gif"), Errc::kImagerAway);
}

static void an_answer_that_is_too_long_or_nonsense_is_not_believed() {
  for (const std::string& text : {std::string("{"), std::string(4097, ' '), std::string(60000, 'x')}) {
    ScriptedImager imager([&](Question& q) { ScriptedImager::answer(q, text); });
    CHECK_ERR(probe(imager.path(), kGif, "image/gif"), Errc::kUndecodable);
  }
}

static void the_original_cannot_be_written_by_a_helper() {
  ssize_t written = 0;
  int flags = 0;
  ScriptedImager imager([&](Question& q) {
    written = ::pwrite(q.files.at(0).get(), "X", 1, 0);
    flags = ::fcntl(q.files.at(0).get(), F_GETFL) & O_ACCMODE;
    ScriptedImager::answer(q, probe_answer({1, 1, 1, 0, false, ""}));
  });
  CHECK_OK(probe(imager.path(), kGif, "image/gif"));
  CHECK_EQ(written, -1);
  CHECK_EQ(flags, O_RDONLY);
}

static void a_picture_that_was_taken_does_not_change_any_more() {
  UniqueFd kept;
  ScriptedImager imager([&](Question& q) {
    CHECK(::write(q.files.at(1).get(), "12345", 5) == 5);
    ScriptedImager::answer(q, render_answer({1, 1, ImageFormat::kPng}));
    kept = std::move(q.files.at(1));
  });
  const Rendered made = CHECK_OK(render(imager.path()));
  CHECK_EQ(made.size_bytes, 5U);
  while (!kept) ::usleep(1000);
  CHECK_EQ(::write(kept.get(), "6", 1), -1);
  CHECK_EQ(::ftruncate(kept.get(), 0), -1);
}

static void a_picture_that_is_not_there_or_held_open_or_too_large_is_refused() {
  const auto refused = [](const std::function<void(int)>& make) {
    ScriptedImager imager([&](Question& q) {
      make(q.files.at(1).get());
      ScriptedImager::answer(q, render_answer({1, 1, ImageFormat::kPng}));
      ::usleep(50'000);
    });
    CHECK_ERR(render(imager.path()), Errc::kUndecodable);
  };
  refused([](int) {});
  refused([](int fd) { CHECK(::ftruncate(fd, static_cast<off_t>(limits::kImageOutputBytes) + 1) == 0); });
  void* mapped = MAP_FAILED;
  refused([&](int fd) {
    CHECK(::ftruncate(fd, 4096) == 0);
    mapped = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  });
  ::munmap(mapped, 4096);
}

static void a_socket_with_a_long_path_is_away() {
  CHECK_ERR(probe("/" + std::string(200, 'x'), kGif, "image/gif"), Errc::kImagerAway);
}

int main() {
  const CMUnitTest tests[] = {
      CASE(the_real_program_looks_and_renders_and_ends_when_told),
      CASE(a_range_within_a_file_is_what_is_looked_at),
      CASE(what_never_has_a_picture_is_not_asked_about),
      CASE(what_is_too_large_is_not_asked_about_and_for_ever),
      CASE(a_film_may_be_larger_than_a_picture),
      CASE(silence_is_away_after_the_timeout),
      CASE(a_helper_that_dies_over_a_picture_is_not_asked_again_one_that_never_read_is),
      CASE(an_answer_that_is_too_long_or_nonsense_is_not_believed),
      CASE(the_original_cannot_be_written_by_a_helper),
      CASE(a_picture_that_was_taken_does_not_change_any_more),
      CASE(a_picture_that_is_not_there_or_held_open_or_too_large_is_refused),
      CASE(a_socket_with_a_long_path_is_away),
  };
  return RUN_TESTS("image_client", tests);
}

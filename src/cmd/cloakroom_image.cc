// cloakroom_image.cc — makes small pictures of pictures: a parent, and a confined process for each question.
#include <fcntl.h>
#include <malloc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <memory>
#include <thread>
#include <utility>

#include "base/config_images.h"
#include "base/file.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/listener.h"
#include "base/log.h"
#include "cmd/command_line.h"
#include "imaging/confine.h"
#include "imaging/pool.h"
#include "imaging/serve.h"
#include "imaging/vips.h"

namespace cloakroom {
namespace {

using std::chrono::milliseconds;

constexpr int kBacklog = 1024;
constexpr unsigned kDescriptors = 32;  // of a child: standard ones, the connection, two files, fonts

// systemd's, or one of our own.
Result<UniqueFd> find_socket(const std::string& path) {
  if (!path.empty()) return listen_on({path, SOCK_SEQPACKET, kBacklog});
  if (sd_listen_fds(1) != 1 || sd_is_socket(SD_LISTEN_FDS_START, AF_UNIX, SOCK_SEQPACKET, 1) <= 0) {
    return Error{Errc::kInvalid, "no listening socket from systemd; give --socket PATH"};
  }
  return UniqueFd(SD_LISTEN_FDS_START);
}

// Threads do not survive fork(2), the locks they hold do.
bool has_one_thread() {
  std::error_code failed;
  const auto tasks = std::filesystem::directory_iterator("/proc/self/task", failed);
  return !failed && std::distance(begin(tasks), end(tasks)) == 1;
}

// Without both programs there are no pictures of films, which is said once; whoever asks for one is told so.
FilmOptions find_films(const ImagerConfig& config) {
  const std::filesystem::path ffmpeg = config.images.ffmpeg;
  FilmOptions films{.ffmpeg = ffmpeg.string(),
                    .ffprobe = (ffmpeg.parent_path() / "ffprobe").string(),
                    .max_pixels = config.images.max_pixels,
                    .is_confined = config.sandbox};
  if (films.ffmpeg.empty()) return {};
  for (const std::string& program : {films.ffmpeg, films.ffprobe}) {
    if (::access(program.c_str(), X_OK) == 0) continue;
    log(Level::kInfo, "films.off", {{"detail", errno_error("run", program, errno).detail + "; see IMAGE_FFMPEG"}});
    return {};
  }
  return films;
}

// Of films the copies are larger than a result may be, until it is known that there is none.
DecoderLimits limits_of(const ImagesConfig& images, bool has_films) {
  return {.memory_bytes = images.memory_bytes,
          .output_bytes = has_films ? limits::kFilmBytes : limits::kImageOutputBytes,
          .cpu = images.reuse * (images.timeout + std::chrono::seconds(1)),
          .descriptors = kDescriptors};
}

// What all children share, made before the first of them.
struct Equipment {
  const ImagerConfig& config;
  FilmOptions films;
  DecoderCage cage;  // empty with SANDBOX=off
  UniqueFd nowhere;

  bool has_films() const { return !films.ffmpeg.empty(); }
};

Result<Equipment> equip(const ImagerConfig& config) {
  Equipment all{config, find_films(config), {}, {}};
  std::vector<std::string> programs;
  if (all.has_films()) programs = {all.films.ffmpeg, all.films.ffprobe};
  if (config.sandbox) {
    TRY_ASSIGN(all.cage, DecoderCage::make(programs));
  }
  TRY_ASSIGN(all.nowhere, open_file("/dev/null", O_WRONLY | O_CLOEXEC));
  return all;
}

// A process that was forked takes its memory anew, page by page: a thumbnail's were some 800 faults, a third of its
// processor time where faults are dear. So what it takes comes from the end of the heap, at a place where the kernel
// may give 2 MiB at once; one without such pages refuses, and all is as before.
void lay_out_heap() {
  constexpr std::size_t kHugeBytes = 2U << 20, kBytes = 6 * kHugeBytes;
  ::mallopt(M_MMAP_THRESHOLD, 32 << 20);
  ::mallopt(M_TRIM_THRESHOLD, 64 << 20);
  // NOLINTBEGIN(cppcoreguidelines-no-malloc): the heap itself is meant
  void* const taken = std::malloc(kBytes);
  void* begin = taken;
  std::size_t room = kBytes;
  if (std::align(kHugeBytes, kHugeBytes, begin, room) != nullptr) {
    ::madvise(begin, room - room % kHugeBytes, MADV_HUGEPAGE);
  }
  std::free(taken);
  // Up to there: never used, never freed, it costs addresses alone. Volatile, or the compiler would leave it out.
  [[maybe_unused]] void* const volatile pad = std::malloc(kBytes - room);
  // NOLINTEND(cppcoreguidelines-no-malloc)
}

constexpr milliseconds kPatience{1000};  // of a process that may make more, for the next question

// Each picture has the time of one, also where the parent counts that of many.
void set_clock(std::chrono::seconds most) {
  itimerval once{};
  once.it_value.tv_sec = most.count();
  ::setitimer(ITIMER_REAL, &once, nullptr);
}

// The next one that this process may serve; nothing: it is to end. Whoever asks about something else asks again.
UniqueFd next_jpeg(int listener) {
  UniqueFd connection = accept_within(listener, kPatience);
  if (connection && !is_about_jpeg(connection.get())) connection.reset();
  return connection;
}

int serve(const Equipment& all, UniqueFd listener, UniqueFd connection) {
  bool is_settled = false;
  const ServeOptions options{.max_pixels = all.config.images.max_pixels,
                             .films = all.films,
                             .settle = [&]() -> Status {
                               if (!all.has_films() || std::exchange(is_settled, true)) return Ok{};
                               TRY(limit_output(limits::kImageOutputBytes));
                               return all.config.sandbox ? all.cage.settle() : Ok{};
                             },
                             .nowhere = all.nowhere.get()};
  for (unsigned more = all.config.images.reuse - 1;; --more) {
    if (more == 0) listener.reset();  // nobody else's question can be taken from here on
    if (all.config.images.reuse > 1) set_clock(all.config.images.timeout);
    const auto served = serve_question(connection.get(), options);
    if (all.config.images.reuse > 1) set_clock(std::chrono::seconds(0));
    if (!served) log(Level::kWarning, "image.refused", {{"detail", served.error().detail}});
    if (more == 0 || !served || !*served) return 0;
    connection = next_jpeg(listener.get());
    if (!connection) return 0;
  }
}

int child_main(const Equipment& all, UniqueFd listener, UniqueFd go) {
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  ::sigaction(SIGTERM, &action, nullptr);
  Status ready = limit_decoder(limits_of(all.config.images, all.has_films()));
  if (ready && all.config.sandbox) ready = all.cage.enter();
  if (!ready) {
    log(Level::kError, "child.start_failed", {{"detail", ready.error().detail}});
    return kExitConfig;
  }
  lay_out_heap();
  if (!wait_for_go(go.get())) return 1;
  UniqueFd connection = accept_one(listener.get());
  if (!connection) return 1;
  go.reset();  // the parent's clock starts
  return serve(all, std::move(listener), std::move(connection));
}

int run(const ImagerConfig& config, UniqueFd listener) {
  const int flags = ::fcntl(listener.get(), F_GETFL);
  ::fcntl(listener.get(), F_SETFL, flags | O_NONBLOCK);
  ::mallopt(M_ARENA_MAX, 1);  // another takes 128 MiB of IMAGE_MEMORY as addresses for a moment, 64 from then on
  if (const Status started = start_vips("cloakroom-image"); !started) {
    log(Level::kError, "start_failed", {{"detail", started.error().detail}});
    return 1;
  }
  const Json seeded(json_object());  // jansson reads its seed now: children cannot
  if (!has_one_thread()) {
    log(Level::kError, "start_failed", {{"detail", "a library has started threads before the fork"}});
    return 1;
  }
  const auto equipment = equip(config);
  if (!equipment) {
    log(Level::kError, "start_failed", {{"detail", equipment.error().detail}});
    return kExitConfig;
  }
  const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
  const PoolOptions options{
      .places = config.images.workers == 0 ? cores : config.images.workers,
      .timeout =
          config.images.reuse * (config.images.timeout + (config.images.reuse == 1 ? milliseconds(0) : kPatience)),
      .started = [] { sd_notify(0, "READY=1"); },
      .child = [&](UniqueFd go) { return child_main(*equipment, std::move(listener), std::move(go)); }};
  return run_pool(options);
}

int main_of(int argc, char** argv) {
  CommandLine line(
      "cloakroom-image looks at pictures and makes small ones of them, for the workers of one instance or of many.\n"
      "It listens on descriptor 3 (systemd) or --socket. Settings, from the environment: IMAGE_*, SANDBOX, LOG_LEVEL;\n"
      "see docs/configuration.md. It needs no other, and no right to any file. SIGTERM drains.");
  std::string socket;
  bool only_check = false;
  line.options().value("--socket", socket, "make and listen on this Unix socket");
  line.options().flag("--check-config", only_check, "check the settings, exit 0 or 78");
  if (const auto ended = line.parse(argc, argv)) return *ended;
  const auto config = read_imager_config(process_environment());
  if (!config) {
    std::cerr << config.error().detail;
    return kExitConfig;
  }
  if (only_check) return 0;
  set_log_level(level_named(config->log_level));
  ::prctl(PR_SET_DUMPABLE, 0);
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  auto listener = find_socket(socket);
  if (!listener) {
    std::cerr << "cloakroom-image: " << listener.error().detail << "\n";
    return kExitUsage;
  }
  return run(*config, *std::move(listener));
}

}  // namespace
}  // namespace cloakroom

int main(int argc, char** argv) {
  return cloakroom::main_of(argc, argv);
}

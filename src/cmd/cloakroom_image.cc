// cloakroom_image.cc — makes small pictures of pictures: a parent, and a confined process for each question.
#include <fcntl.h>
#include <malloc.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <filesystem>
#include <iostream>
#include <thread>

#include "base/config_images.h"
#include "base/file.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/listener.h"
#include "base/log.h"
#include "imaging/confine.h"
#include "imaging/pool.h"
#include "imaging/serve.h"
#include "imaging/vips.h"

namespace cloakroom {
namespace {

constexpr int kExitUsage = 2;
constexpr int kExitConfig = 78;  // EX_CONFIG
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

int child_main(const ImagerConfig& config, UniqueFd listener, UniqueFd go) {
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  ::sigaction(SIGTERM, &action, nullptr);
  const DecoderLimits most{.memory_bytes = config.images.memory_bytes,
                           .output_bytes = limits::kImageOutputBytes,
                           .cpu = config.images.timeout + std::chrono::seconds(1),
                           .descriptors = kDescriptors};
  const auto nowhere = open_file("/dev/null", O_WRONLY | O_CLOEXEC);
  Status ready = nowhere ? limit_decoder(most) : Status(nowhere.error());
  if (ready && config.sandbox) ready = confine_decoder();
  if (!ready) {
    log(Level::kError, "child.start_failed", {{"detail", ready.error().detail}});
    return kExitConfig;
  }
  if (!wait_for_go(go.get())) return 1;
  const UniqueFd connection = accept_one(listener.get());
  if (!connection) return 1;
  // nobody else's question can be taken from here on, and the parent's clock starts
  listener.reset();
  go.reset();
  if (const Status served = serve_question(connection.get(), {config.images.max_pixels, nowhere->get()}); !served) {
    log(Level::kWarning, "image.refused", {{"detail", served.error().detail}});
  }
  return 0;
}

int run(const ImagerConfig& config, UniqueFd listener) {
  const int flags = ::fcntl(listener.get(), F_GETFL);
  ::fcntl(listener.get(), F_SETFL, flags | O_NONBLOCK);
  ::mallopt(M_ARENA_MAX, 2);  // each takes 64 MiB of IMAGE_MEMORY as addresses
  if (const Status started = start_vips("cloakroom-image"); !started) {
    log(Level::kError, "start_failed", {{"detail", started.error().detail}});
    return 1;
  }
  const Json seeded(json_object());  // jansson reads its seed now: children cannot
  if (!has_one_thread()) {
    log(Level::kError, "start_failed", {{"detail", "a library has started threads before the fork"}});
    return 1;
  }
  const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
  const PoolOptions options{
      .places = config.images.workers == 0 ? cores : config.images.workers,
      .timeout = config.images.timeout,
      .started = [] { sd_notify(0, "READY=1"); },
      .child = [&](UniqueFd go) { return child_main(config, std::move(listener), std::move(go)); }};
  return run_pool(options);
}

int main_of(int argc, char** argv) {
  CLI::App cli{
      "cloakroom-image looks at pictures and makes small ones of them, for the workers of one instance or of many.\n"
      "It listens on descriptor 3 (systemd) or --socket. Settings, from the environment: IMAGE_*, SANDBOX, LOG_LEVEL;\n"
      "see docs/configuration.md. It needs no other, and no right to any file. SIGTERM drains."};
  std::string socket;
  bool only_check = false;
  cli.add_option("--socket", socket, "make and listen on this Unix socket");
  cli.add_flag("--check-config", only_check, "check the settings, exit 0 or 78");
  try {
    cli.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return cli.exit(e) == 0 ? 0 : kExitUsage;
  }
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

// cloakroom_fcgi.cc — the worker: FastCGI behind nginx by a parent and its children, or one request as plain CGI.
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <iostream>
#include <memory>
#include <optional>
#include <sstream>
#include <thread>

#include "base/file.h"
#include "base/listener.h"
#include "base/log.h"
#include "cmd/command_line.h"
#include "cmd/confine.h"
#include "cmd/prefork.h"
#include "cmd/waiting_room.h"
#include "cmd/wiring.h"
#include "http/cgi.h"
#include "http/fcgi.h"

namespace cloakroom {
namespace {

constexpr int kBacklog = 4096;                 // with libfcgi's usual 5, nginx answers 502 under load
constexpr std::chrono::seconds kWaitAtEnd{3};  // for requests that wait, before a child ends: of SHUTDOWN_TIMEOUT

volatile std::sig_atomic_t g_stop = 0;  // set by the child's only signal handler

bool is_listening(int fd) {
  int listening = 0;
  socklen_t size = sizeof listening;
  return ::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0 && listening != 0;
}

// Puts a new listening socket on descriptor 0, where a supervisor would have put it.
Status listen_at_zero(const std::string& path) {
  TRY_ASSIGN(const UniqueFd fd, listen_on({path, SOCK_STREAM, kBacklog}));
  if (::dup2(fd.get(), STDIN_FILENO) < 0) return errno_error("use descriptor 0 for", path, errno);
  return Ok{};
}

int child_main(const Config& config, Sniffer& sniffer, Scoreboard& board) {
  struct sigaction action {};
  action.sa_handler = [](int) { g_stop = 1; };
  for (const int s : {SIGTERM, SIGINT}) ::sigaction(s, &action, nullptr);
  action.sa_handler = SIG_IGN;
  for (const int s : {SIGHUP, SIGPIPE}) ::sigaction(s, &action, nullptr);
  if (const Status confined = confine(config); !confined) {
    log(Level::kError, "child.start_failed", {{"detail", confined.error().detail}});
    return kExitConfig;
  }

  const SystemClock clock;
  auto service = Service::make(config, clock, sniffer, &board);
  if (!service) {
    log(Level::kError, "child.start_failed", {{"detail", service.error().detail}});
    return kExitConfig;
  }
  // EPOLLEXCLUSIVE wakes one child for a connection instead of all of them.
  const UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  epoll_event interest{};
  interest.events = EPOLLIN | EPOLLEXCLUSIVE;
  if (!epoll || ::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, STDIN_FILENO, &interest) != 0) {
    log(Level::kError, "child.start_failed", {{"detail", "epoll"}, {"errno", errno}});
    return 1;
  }
  // Signals are let in only while waiting: a request in hand is always finished.
  sigset_t none;
  sigemptyset(&none);
  // children of one age would all be replaced at once
  const std::uint32_t spread = config.max_requests / 10;
  const std::uint32_t most =
      config.max_requests == 0
          ? 0
          : config.max_requests - (spread == 0 ? 0 : static_cast<std::uint32_t>(::getpid()) % spread);
  std::uint32_t served = 0;
  auto exchange = std::make_unique<FcgiExchange>(STDIN_FILENO);
  WaitingRoom room([&](Exchange& one, const Turn& turn) { return (*service)->serve(one, turn); });
  while (g_stop == 0 && (most == 0 || served < most)) {
    room.look();
    epoll_event event{};
    if (::epoll_pwait(epoll.get(), &event, 1, room.sleep_ms(), &none) <= 0) continue;
    if (!exchange->accept()) continue;
    ++served;
    if (!room.serve(exchange)) exchange = std::make_unique<FcgiExchange>(STDIN_FILENO);
  }
  room.close(kWaitAtEnd);  // worth a moment: those whom they wait for have begun already
  return 0;
}

int serve_cgi(const Config& config, Sniffer& sniffer) {
  if (const Status confined = confine(config); !confined) {
    log(Level::kError, "start_failed", {{"detail", confined.error().detail}});
    return kExitConfig;
  }
  const SystemClock clock;
  auto service = Service::make(config, clock, sniffer);
  if (!service) {
    log(Level::kError, "start_failed", {{"detail", service.error().detail}});
    return kExitConfig;
  }
  CgiExchange exchange(environ);
  const auto begun = WaitingRoom::Clock::now();
  Turn turn{.is_first = true, .is_last = false, .begun = begun};
  while ((*service)->serve(exchange, turn) == Served::kLater) {
    std::this_thread::sleep_for(WaitingRoom::kPause);
    turn = {.is_first = false, .is_last = WaitingRoom::Clock::now() - begun > WaitingRoom::kLongest, .begun = begun};
  }
  return 0;
}

std::vector<int> old_children() {
  std::vector<int> pids;
  if (const auto list = process_environment()(kOldChildrenVariable)) {
    std::istringstream in(*list);
    for (int pid = 0; in >> pid;) pids.push_back(pid);
    ::unsetenv(kOldChildrenVariable);
  }
  return pids;
}

std::string own_path() {
  std::string path(4096, '\0');
  const ssize_t size = ::readlink("/proc/self/exe", path.data(), path.size());
  path.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  return path;
}

enum class Which { kForNewFiles, kBucket };

Status prepare_store(const Config& config, Which which) {
  const SystemClock clock;
  TRY_ASSIGN(const StoreSet stores, make_stores(config, clock));
  const Status done =
      which == Which::kBucket
          ? stores.s3_of(config.is_in_s3() ? kind_of_new_files(config) : StoreKind::kS3)->guarded->prepare()
          : stores.for_new_files(config).prepare();
  if (!done) log(Level::kWarning, "store.not_prepared", {{"detail", done.error().detail}});
  return done;
}

// The folders of files that are kept while the store is away.
Status prepare_fallback(const Config& config) {
  if (config.s3_fallback == "none") return Ok{};
  TRY_ASSIGN(const StoreSet stores, make_stores(config, SystemClock()));
  const Status done = stores.local->prepare();
  if (!done) log(Level::kError, "fallback.not_prepared", {{"detail", done.error().detail}});
  return done;
}

// Makes the bucket, as soon as the store answers. In a process of its own, for a store that hangs must not keep the
// workers from starting; it ends with its parent.
void prepare_bucket_aside(const Config& config) {
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid != 0) return;  // reaped with the children
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != parent) ::_exit(1);
  for (unsigned pause_seconds = 1; !prepare_store(config, Which::kBucket);
       pause_seconds = std::min(pause_seconds * 2, 60U)) {
    ::sleep(pause_seconds);
  }
  ::_exit(0);
}

int run_fastcgi(const Config& config, Sniffer& sniffer, std::vector<std::string> arguments) {
  if (config.storage != "local") prepare_bucket_aside(config);  // before libfcgi, which swallows SIGTERM
  if (config.is_in_s3()) {
    if (!prepare_fallback(config)) return kExitConfig;
  } else if (!prepare_store(config, Which::kForNewFiles)) {
    return kExitConfig;  // a root folder that cannot be made is a wrong setting
  }
  if (const Status started = fcgi_start(); !started) {
    log(Level::kError, "start_failed", {{"detail", started.error().detail}});
    return 1;
  }
  const int flags = ::fcntl(STDIN_FILENO, F_GETFL);
  ::fcntl(STDIN_FILENO, F_SETFL, flags | O_NONBLOCK);
  const SharedScoreboard board;
  const PreforkOptions options{.workers = config.workers,
                               .shutdown_timeout = config.shutdown_timeout,
                               .program = own_path(),
                               .arguments = std::move(arguments),
                               .child_gone = [&](int pid) { board->forget(pid); },
                               .child = [&] { return child_main(config, sniffer, *board); }};
  return run_prefork(options, old_children());
}

// The settings and everything that is made from them; nullopt after all problems were printed.
std::optional<Config> good_settings(const EnvLookup& env) {
  auto config = read_config(env);
  if (!config) {
    std::cerr << config.error().detail;
    return std::nullopt;
  }
  const auto identity = make_identity(*config);
  const auto stores = make_stores(*config, SystemClock());
  if (!identity) std::cerr << identity.error().detail << "\n";
  if (!stores) std::cerr << stores.error().detail << "\n";
  if (!identity || !stores) return std::nullopt;
  return *std::move(config);
}

int main_of(int argc, char** argv) {
  CommandLine line(
      "cloakroom-fcgi serves uploads and downloads behind nginx.\n"
      "It listens on descriptor 0 (systemd socket, spawn-fcgi) or --socket; with REQUEST_METHOD set it answers one "
      "request\n"
      "as a plain CGI program. Settings come from the environment: see docs/configuration.md.\n"
      "Signals: TERM drains, HUP rolls to new settings and program.");
  std::string socket;
  bool only_check = false;
  line.options().value("--socket", socket, "make and listen on this Unix socket");
  line.options().flag("--check-config", only_check, "check the settings, print them with secrets masked, exit 0 or 78");
  if (const auto ended = line.parse(argc, argv)) return *ended;
  const EnvLookup env = process_environment();
  const auto config = good_settings(env);
  if (!config) return kExitConfig;
  if (only_check) {
    std::cout << describe_settings(env);
    return 0;
  }
  set_log_level(log_level(*config));
  // other processes of this user must not read our environment and memory; see docs/security.md
  ::prctl(PR_SET_DUMPABLE, 0);
  // nor does any program bring us more rights than we have; capabilities go in the children, for a parent may be root
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  auto sniffer = MagicSniffer::open();
  if (!sniffer) {
    std::cerr << sniffer.error().detail << "\n";
    return kExitConfig;
  }
  const bool rolled = env(kOldChildrenVariable).has_value();
  if (!socket.empty() && !rolled) {
    if (const Status bound = listen_at_zero(socket); !bound) {
      std::cerr << bound.error().detail << "\n";
      return 1;
    }
  }
  if (is_listening(STDIN_FILENO)) return run_fastcgi(*config, **sniffer, {argv + 1, argv + argc});
  // as children end: a leak checker at exit would have to trace us, which the sandbox refuses
  if (env("REQUEST_METHOD")) ::_exit(serve_cgi(*config, **sniffer));
  std::cerr << "cloakroom-fcgi: descriptor 0 is no listening socket; give --socket PATH, or start it by systemd or "
               "spawn-fcgi\n";
  return kExitUsage;
}

}  // namespace
}  // namespace cloakroom

int main(int argc, char** argv) {
  return cloakroom::main_of(argc, argv);
}

// cloakroom.cc — the sysadmin's tool: sub-commands by name, settings from the environment.
#include <sys/prctl.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>

#include "base/env_file.h"
#include "base/log.h"
#include "cmd/commands.h"
#include "cmd/run_as.h"
#include "cmd/wiring.h"

namespace cloakroom {

namespace {
bool has_instance = false;  // --instance was given: set once, before any command runs
}  // namespace

std::optional<Config> settings_or_complain(RunAs whom) {
  std::optional<SystemUser> user;
  if (has_instance && whom == RunAs::kWorkers) {
    user = user_of_workers(process_environment()("UPLOAD_STORAGE_PATH").value_or(""));
  }
  if (user) ::setenv("HOME", user->home.c_str(), 1);  // settings may name files in it, and libpq looks there
  auto config = read_config(process_environment());
  if (!config) {
    std::cerr << config.error().detail;
    return std::nullopt;
  }
  set_log_level(log_level(*config));
  if (user) {
    if (const Status done = become(*user); !done) {
      complain(done.error());
      return std::nullopt;
    }
  }
  return *std::move(config);
}

int complain(const Error& error) {
  std::cerr << "cloakroom: " << error.detail << "\n";
  const bool is_passing = error.code == Errc::kDatabase || error.code == Errc::kStore ||
                          error.code == Errc::kStoreAway || error.code == Errc::kNotYet;
  return is_passing ? kExitTryLater : kExitProblems;
}

std::string share_folder() {
  std::string path(4096, '\0');
  const ssize_t size = ::readlink("/proc/self/exe", path.data(), path.size());
  path.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  for (int up = 0; up < 2; ++up) path.resize(path.rfind('/') == std::string::npos ? 0 : path.rfind('/'));
  return path + "/share/cloakroom";
}

namespace {

// What the unit cloakroom@NAME.service would see: the file of the instance and the paths the unit sets. Variables that
// are set already win.
bool enter_instance(const std::string& name) {
  const std::string path = "/etc/cloakroom/" + name + ".env";
  std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  Result<std::vector<std::pair<std::string, std::string>>> settings = Error{Errc::kInvalid, "cannot be read"};
  if (in) settings = parse_env_file(text.str());
  if (!settings) {
    std::cerr << path << ": " << settings.error().detail
              << (!in && ::geteuid() != 0 ? "; run this as root (sudo): it goes on as the user of the workers" : "")
              << "\n";
    return false;
  }
  settings->emplace_back("INSTANCE", name);
  settings->emplace_back("FASTCGI_SOCKET", "/run/cloakroom/" + name + ".sock");
  settings->emplace_back("UPLOAD_STORAGE_PATH", "/var/lib/cloakroom/" + name);
  settings->emplace_back("NGINX_CACHE_PATH", "/var/cache/cloakroom/" + name);
  for (const auto& [variable, value] : *settings) ::setenv(variable.c_str(), value.c_str(), 0);
  return true;
}

int tool_main(int argc, char** argv) {
  ::prctl(PR_SET_DUMPABLE, 0);  // as the workers: secrets are in our environment
  CommandLine line(
      "cloakroom: the tool beside the workers. Settings come from the environment: see docs/configuration.md.");
  std::string instance;
  line.options().value(
      "-i,--instance", instance,
      "read /etc/cloakroom/NAME.env first, as the unit cloakroom@NAME does; root then becomes its user");
  for (const auto add : {add_migrate, add_config, add_token, add_jobs, add_check, add_sign, add_variants, add_audit,
                         add_usage, add_cleanup, add_restore, add_move, add_replicate, add_scrub, add_backfill})
    add(line);
  if (const auto ended = line.parse(argc, argv)) return *ended;
  has_instance = !instance.empty();
  if (has_instance && !enter_instance(instance)) return kExitConfig;
  return line.run();
}

}  // namespace
}  // namespace cloakroom

int main(int argc, char** argv) {
  return cloakroom::tool_main(argc, argv);
}

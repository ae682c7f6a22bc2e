// cloakroom.cc — the sysadmin's tool: sub-commands by name, settings from the environment.
#include <unistd.h>

#include <iostream>

#include "base/log.h"
#include "cmd/commands.h"
#include "cmd/wiring.h"

namespace cloakroom {

std::optional<Config> settings_or_complain() {
  auto config = read_config(process_environment());
  if (!config) {
    std::cerr << config.error().detail;
    return std::nullopt;
  }
  set_log_level(log_level(*config));
  return *std::move(config);
}

int complain(const Error& error) {
  std::cerr << "cloakroom: " << error.detail << "\n";
  return error.code == Errc::kDatabase || error.code == Errc::kStore ? kExitTryLater : kExitProblems;
}

std::string share_folder() {
  std::string path(4096, '\0');
  const ssize_t size = ::readlink("/proc/self/exe", path.data(), path.size());
  path.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  for (int up = 0; up < 2; ++up) path.resize(path.rfind('/') == std::string::npos ? 0 : path.rfind('/'));
  return path + "/share/cloakroom";
}

}  // namespace cloakroom

int main(int argc, char** argv) {
  using namespace cloakroom;
  CLI::App cli{
      "cloakroom: the tool beside the workers. Settings come from the environment: see docs/configuration.md."};
  cli.require_subcommand(1);
  Command chosen;
  for (const auto add : {add_migrate, add_config, add_token, add_jobs}) add(cli, chosen);
  try {
    cli.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return cli.exit(e) == 0 ? kExitDone : kExitUsage;
  }
  return chosen();
}

// token_command.cc — `cloakroom token`: a JWT for trying things out, signed with JWT_SECRET.
#include <iostream>

#include "auth/jwt.h"
#include "base/id.h"
#include "base/time.h"
#include "cmd/commands.h"

namespace cloakroom {

void add_token(CLI::App& cli, Command& chosen) {
  struct Options {
    std::string user;
    unsigned ttl_seconds = 3600;
  };
  const auto options = std::make_shared<Options>();
  CLI::App* command = cli.add_subcommand("token", "print a token for a user, signed with JWT_SECRET");
  command->add_option("user", options->user, "user id")->required();
  command->add_option("--ttl", options->ttl_seconds, "life in seconds")->capture_default_str();
  command->callback([options, &chosen] {
    chosen = [options]() -> int {
      const auto config = settings_or_complain();
      if (!config) return kExitConfig;
      if (config->jwt_secret.empty()) {
        std::cerr
            << "cloakroom: needs JWT_SECRET; with a public key only the owner of the private key can make tokens\n";
        return kExitConfig;
      }
      if (!is_foreign_id(options->user)) {
        std::cerr << "cloakroom: the user id must be 1 to 255 bytes of text\n";
        return kExitUsage;
      }
      const TimePoint now = system_now();
      std::cout << make_jwt(config->jwt_secret, config->jwt_user_claim,
                            {options->user, now, now + std::chrono::seconds(options->ttl_seconds)})
                << "\n";
      return kExitDone;
    };
  });
}

}  // namespace cloakroom

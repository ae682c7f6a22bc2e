// token_command.cc — `cloakroom token`: a JWT for trying things out, signed with JWT_SECRET.
#include <iostream>

#include "auth/jwt.h"
#include "base/id.h"
#include "base/time.h"
#include "cmd/commands.h"

namespace cloakroom {

namespace {

struct Options {
  std::string user;
  unsigned ttl_seconds = 3600;
};

int run_token(const Options& options) {
  const auto config = settings_or_complain();
  if (!config) return kExitConfig;
  if (config->jwt_secret.empty()) {
    std::cerr << "cloakroom: needs JWT_SECRET; with a public key only the owner of the private key can make tokens\n";
    return kExitConfig;
  }
  if (!is_foreign_id(options.user)) {
    std::cerr << "cloakroom: the user id must be 1 to 255 bytes of text\n";
    return kExitUsage;
  }
  const TimePoint now = system_now();
  std::cout << make_jwt(config->jwt_secret, config->jwt_user_claim,
                        {options.user, now, now + std::chrono::seconds(options.ttl_seconds)})
            << "\n";
  return kExitDone;
}

}  // namespace

void add_token(CommandLine& line) {
  const auto options = std::make_shared<Options>();
  const OptionSet command = line.command("token", "print a token for a user, signed with JWT_SECRET",
                                         [options] { return run_token(*options); });
  command.value("user", options->user, "user id").required();
  command.value("--ttl", options->ttl_seconds, "life in seconds").shows_default();
}

}  // namespace cloakroom

// env_file.h — reads a file of settings as systemd's EnvironmentFile= does, so that tools run by hand see what a unit
// sees.
//
// Shape    NAME=VALUE a line; blank lines and lines that begin with '#' or ';' are skipped. VALUE may stand in single
// quotes
//          (as it is) or double quotes (\" \\ \$ \` are unescaped); otherwise blanks at its end are dropped.
// Errors   kInvalid, with the number of the line. Values are never in the message.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace cloakroom {

Result<std::vector<std::pair<std::string, std::string>>> parse_env_file(std::string_view text);

}  // namespace cloakroom

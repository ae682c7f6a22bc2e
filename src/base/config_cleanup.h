// config_cleanup.h — the settings of the clean-up and of the job runner.
#pragma once

#include <optional>
#include <string_view>

#include "base/config.h"
#include "base/config_reader.h"

namespace cloakroom {

// Fills `cleanup` and `jobs` of `config`; problems go to the reader.
//
// Shape    RETENTION: items "TYPE:NUMBERd" or "TYPE:NUMBERh", separated by blanks or commas, 1 hour to 100 years.
void read_cleanup(Reader& in, Config& config);

// One item of RETENTION; nullopt when it is none.
std::optional<CleanupConfig::Retention> parse_retention(std::string_view item);

}  // namespace cloakroom

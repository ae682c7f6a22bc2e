// config_scan.h — the settings of the virus scanner.
#pragma once

#include "base/config.h"
#include "base/config_reader.h"

namespace cloakroom {

// Fills the clamd_* and rescan_* fields of `config`; problems go to the reader.
void read_scan(Reader& in, Config& config);

}  // namespace cloakroom

// config_images.h — the settings of pictures, for those who ask for them and for the program that makes them.
#pragma once

#include "base/config.h"
#include "base/config_reader.h"

namespace cloakroom {

// Problems go to the reader.
ImagesConfig read_images(Reader& in);

// What cloakroom-image reads: of all settings these alone, for it has no business with a database or a secret.
struct ImagerConfig {
  ImagesConfig images;
  bool sandbox = true;
  std::string log_level;
};

// Errors   kInvalid  `detail` names every problem, one a line
Result<ImagerConfig> read_imager_config(const EnvLookup& env);

}  // namespace cloakroom

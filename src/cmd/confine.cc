// confine.cc — from the settings to the sandbox.
#include "cmd/confine.h"

#include "base/log.h"
#include "base/sandbox.h"

namespace cloakroom {

Status confine(const Config& config, const std::vector<std::string>& more_writable) {
  if (!config.sandbox) return Ok{};
  std::vector<std::string> writable{config.storage_path, config.body_temp_path};
  writable.insert(writable.end(), more_writable.begin(), more_writable.end());
  TRY_ASSIGN(const bool folders, enter_sandbox(writable));
  log(folders ? Level::kDebug : Level::kInfo, "sandbox.entered",
      {{"folders", folders ? "restricted" : "not restricted: no Landlock"}});
  return Ok{};
}

}  // namespace cloakroom

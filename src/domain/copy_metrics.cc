// copy_metrics.cc — three gauges.
#include "domain/copy_metrics.h"

namespace cloakroom {

std::string copy_metrics(const CopyGap& gap) {
  std::string out;
  const auto gauge = [&out](const std::string& name, const std::string& help, std::uint64_t value) {
    out += "# HELP " + name + " " + help + "\n# TYPE " + name + " gauge\n" + name + " " + std::to_string(value) + "\n";
  };
  gauge("cloakroom_copies_wanted_files", "Files that were queued for a copy and have none yet.", gap.files);
  gauge("cloakroom_copies_wanted_bytes", "Their bytes.", gap.bytes);
  gauge("cloakroom_copies_wanted_oldest_seconds", "Since when the oldest of them waits.",
        static_cast<std::uint64_t>(gap.oldest.count()));
  return out;
}

}  // namespace cloakroom

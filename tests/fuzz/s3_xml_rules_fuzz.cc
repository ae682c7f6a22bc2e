// s3_xml_rules_fuzz.cc — any document of a store: a rule of ours is added once, or it is refused.
//
// Property adding twice changes nothing more; what was added is found again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "storage/s3_xml_rules.h"

using namespace cloakroom;  // NOLINT: a test

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::vector<std::string> origins{"https://a.example"};
  if (const auto cors = with_cors_rule(text, origins)) {
    const auto again = with_cors_rule(*cors, origins);
    if (!again || *again != *cors) std::abort();
  }
  if (const auto life = with_abort_rule(text, "p/")) {
    const auto again = with_abort_rule(*life, "p/");
    if (!again || *again != *life || !has_abort_rule(*life, "p/")) std::abort();
  }
  (void)has_abort_rule(text, "");
  return 0;
}

// vips.cc — starts libvips as a decoder of strangers' files should be.
#include "imaging/vips.h"

#include <vips/vector.h>

#include "imaging/kinds.h"

namespace cloakroom {

Status start_vips(const char* program) {
  if (vips_init(program) != 0) return Error{Errc::kInternal, vips_error_take("cannot start").detail};
  vips_block_untrusted_set(TRUE);
  for (const char* loader : deliberately_trusted()) vips_operation_block_set(loader, FALSE);
  vips_concurrency_set(1);
  vips_cache_set_max(0);
  vips_vector_set_enabled(FALSE);
  return Ok{};
}

Error vips_error_take(std::string_view what) {
  std::string text = vips_error_buffer();
  vips_error_clear();
  while (text.ends_with('\n')) text.pop_back();
  return Error{Errc::kUndecodable, "vips: " + std::string(what) + ": " + text};
}

}  // namespace cloakroom

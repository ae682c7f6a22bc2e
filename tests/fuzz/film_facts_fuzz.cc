// film_facts_fuzz.cc — any bytes as what ffprobe says: what is taken of it is within its limits.
#include <cstdint>
#include <limits>

#include "base/limits.h"
#include "imaging/film_facts.h"

using namespace cloakroom;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto facts = parse_film_facts({reinterpret_cast<const char*>(data), size});
  if (!facts) {
    if (facts.error().code != Errc::kUndecodable) BUG("another error");
    return 0;
  }
  if (!facts->has_pictures && !facts->has_sound) BUG("nothing is there");
  if (facts->has_pictures != (facts->width > 0 && facts->height > 0)) BUG("sides without pictures, or the other way");
  if (facts->width > limits::kImageSide || facts->height > limits::kImageSide) BUG("beyond the limit");
  if (facts->duration_ms > static_cast<std::uint32_t>(std::numeric_limits<std::int32_t>::max())) BUG("too long");
  return 0;
}

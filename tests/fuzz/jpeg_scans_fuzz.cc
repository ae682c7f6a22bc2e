// jpeg_scans_fuzz.cc — any bytes as a JPEG: the more scans are allowed the fewer files have too many, and none has more
// than it has markers of a scan.
#include <cstdint>

#include "base/result.h"
#include "imaging/jpeg_scans.h"

using namespace cloakroom;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  unsigned markers = 0;
  for (std::size_t i = 0; i + 1 < size; ++i) markers += data[i] == 0xff && data[i + 1] == 0xda ? 1U : 0U;
  if (has_more_scans(bytes, markers)) BUG("scans without a marker");
  for (unsigned most = 0; most < markers; ++most) {
    if (has_more_scans(bytes, most + 1) && !has_more_scans(bytes, most)) BUG("more than more, and not more than less");
  }
  return 0;
}

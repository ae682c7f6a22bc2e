// accept_fuzz.cc — any Accept header: an answer for every type, and one item more that names a type is obeyed.
#include <cstdint>
#include <string>

#include "base/result.h"
#include "http/accept.h"

using namespace cloakroom;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string header(reinterpret_cast<const char*>(data), size);
  for (const char* type : {"image/webp", "image/avif", "image/jpeg", "text/html"}) {
    if (welcome(header, type).quality > 1000) BUG("more than welcome");
  }
  // a first item is read whatever follows; a closer or equal one that follows changes nothing
  const Welcome first = welcome("image/webp;q=0.123," + header, "image/webp");
  if (first.quality != 123 || !first.is_named) BUG("the first item that names the type does not count");
  return 0;
}

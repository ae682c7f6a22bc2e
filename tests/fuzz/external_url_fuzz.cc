// external_url_fuzz.cc — any address: what is taken goes into a header as it is, and its host is where everybody sees
// it.
#include <cstdint>
#include <string>

#include "base/limits.h"
#include "base/result.h"
#include "domain/external.h"

using namespace cloakroom;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string url(reinterpret_cast<const char*>(data), size);
  if (!check_external_url(url)) return 0;
  if (url.size() > limits::kExternalUrlBytes) BUG("too long");
  for (const char c : url) {
    if (c <= ' ' || c > '~' || c == '\\' || c == '"' || c == '<')
      BUG("a character that no header and no page may have");
  }
  const std::size_t begin = url.find("://") + 3;
  const std::string authority = url.substr(begin, url.find_first_of("/?#", begin) - begin);
  if (authority.empty() || authority.find('@') != std::string::npos) BUG("a user in it, or no host");
  // nothing that follows the host changes it
  if (!check_external_url("https://" + authority + "/%41?b#c")) BUG("the same host is refused");
  return 0;
}

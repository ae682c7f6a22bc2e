// digest.h — SHA-256, HMAC-SHA256 and constant-time comparison, all by OpenSSL's EVP.
#pragma once

#include <openssl/evp.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "base/handle.h"
#include "base/result.h"

namespace cloakroom {

using Sha256Digest = std::array<std::uint8_t, 32>;

// A running SHA-256. finish() may be called once.
class Sha256 {
 public:
  Sha256();
  void update(std::span<const std::byte> bytes);
  Sha256Digest finish();

 private:
  std::unique_ptr<EVP_MD_CTX, CDelete<EVP_MD_CTX_free>> context_;
};

Sha256Digest sha256(std::string_view bytes);
// For Content-MD5, which S3 asks for beside some documents, and for the names of nginx's cache files; never for
// security. kInternal where OpenSSL has no MD5.
Result<std::array<std::uint8_t, 16>> md5(std::string_view bytes);
Sha256Digest hmac_sha256(std::span<const std::uint8_t> key, std::string_view message);
bool equal_constant_time(std::string_view a, std::string_view b);  // the lengths are not hidden

inline std::span<const std::uint8_t> as_u8(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

}  // namespace cloakroom

// digest.cc — OpenSSL behind three small functions.
#include "base/digest.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>

#include "base/result.h"

namespace cloakroom {

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  if (!context_ || EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) != 1) BUG("SHA-256 is not available");
}

void Sha256::update(std::span<const std::byte> bytes) {
  if (EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) != 1) BUG("SHA-256 update refused");
}

Sha256Digest Sha256::finish() {
  Sha256Digest digest{};
  if (EVP_DigestFinal_ex(context_.get(), digest.data(), nullptr) != 1) BUG("SHA-256 finish refused");
  return digest;
}

Sha256Digest sha256(std::string_view bytes) {
  Sha256 hash;
  hash.update(std::as_bytes(std::span(bytes)));
  return hash.finish();
}

Result<std::array<std::uint8_t, 16>> md5(std::string_view bytes) {
  std::array<std::uint8_t, 16> digest{};
  if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), nullptr, EVP_md5(), nullptr) != 1) {
    return Error{Errc::kInternal, "OpenSSL has no MD5 here"};  // a FIPS host
  }
  return digest;
}

// OpenSSL 3 looks an algorithm up by name at every HMAC() call, which costs more than the HMAC itself: look once.
Sha256Digest hmac_sha256(std::span<const std::uint8_t> key, std::string_view message) {
  using Mac = std::unique_ptr<EVP_MAC, CDelete<EVP_MAC_free>>;
  using MacContext = std::unique_ptr<EVP_MAC_CTX, CDelete<EVP_MAC_CTX_free>>;
  thread_local const MacContext context = [] {
    const Mac mac(EVP_MAC_fetch(nullptr, "HMAC", nullptr));
    MacContext made(mac ? EVP_MAC_CTX_new(mac.get()) : nullptr);
    char digest[] = "SHA256";
    const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string("digest", digest, 0), OSSL_PARAM_construct_end()};
    if (!made || EVP_MAC_CTX_set_params(made.get(), parameters) != 1) BUG("HMAC-SHA256 is not available");
    return made;
  }();
  // an empty key would mean "the key of last time"
  static constexpr std::uint8_t kNoKey = 0;
  const std::uint8_t* bytes = key.empty() ? &kNoKey : key.data();
  Sha256Digest digest{};
  std::size_t length = 0;
  if (EVP_MAC_init(context.get(), bytes, key.size(), nullptr) != 1 ||
      EVP_MAC_update(context.get(), as_u8(message).data(), message.size()) != 1 ||
      EVP_MAC_final(context.get(), digest.data(), &length, digest.size()) != 1 || length != digest.size()) {
    BUG("HMAC-SHA256 refused");
  }
  return digest;
}

bool equal_constant_time(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace cloakroom

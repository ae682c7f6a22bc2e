// proxy_cache.cc — as nginx makes them: ngx_http_file_cache_name, ngx_http_slice_get_start.
#include "domain/proxy_cache.h"

#include "base/digest.h"
#include "base/encode.h"

namespace cloakroom {

std::string cache_key(const CachedObject& object) {
  std::string key(object.instance);
  if (object.store != StoreKind::kS3) key.append("@").append(to_string(object.store));
  return key.append("/").append(percent_encode_path(object.key));
}

std::uint64_t cache_file_count(std::uint64_t size_bytes) {
  return is_sliced(size_bytes) ? (size_bytes + kSliceBytes - 1) / kSliceBytes : 1;
}

Result<std::string> cache_file(const CachedObject& object, std::uint64_t size_bytes, std::uint64_t number) {
  std::string name = cache_key(object);
  if (is_sliced(size_bytes)) {
    const std::uint64_t first = number * kSliceBytes;
    // the last slice, too, is asked for in full length
    name += "bytes=" + std::to_string(first) + "-" + std::to_string(first + kSliceBytes - 1);
  }
  TRY_ASSIGN(const auto digest, md5(name));
  const std::string hex = hex_encode(digest);
  return hex.substr(31, 1) + "/" + hex.substr(29, 2) + "/" + hex;
}

}  // namespace cloakroom

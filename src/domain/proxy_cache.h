// proxy_cache.h — the names under which nginx keeps copies of S3 objects, for who asks it to and for who purges. Pure.
//
// Shape    whole object   {instance}/{key, percent-encoded}, in the second store {instance}@s3-secondary/{the same}:
// two
//                         stores may hold objects of one key, and no instance has an @ in its name
//          slice n        the same, then "bytes=" and its first and last byte: what nginx's $slice_range says
//          file           {last digit of the md5 of that}/{the two before}/{md5}: proxy_cache_path with levels=1:2
// Rule     by object, never by signature: each request's URL is another one, the bytes are the same.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "domain/attachment.h"

namespace cloakroom {

// Below this nginx fetches an object whole, in one request; above it in slices, so that the end of a film is there at
// once. Both are written into the nginx includes: a change needs them written anew, and leaves old copies to age.
inline constexpr std::uint64_t kSlicedFromBytes = 16ULL << 20;
inline constexpr std::uint64_t kSliceBytes = 4ULL << 20;

constexpr bool is_sliced(std::uint64_t size_bytes) {
  return size_bytes > kSlicedFromBytes;
}

struct CachedObject {
  std::string_view instance;
  StoreKind store = StoreKind::kS3;
  std::string_view key;
};
std::string cache_key(const CachedObject& object);

// How many files a copy of an object of this size may consist of, and the name of each below the cache's folder.
std::uint64_t cache_file_count(std::uint64_t size_bytes);
// kInternal where OpenSSL has no MD5.
Result<std::string> cache_file(const CachedObject& object, std::uint64_t size_bytes, std::uint64_t number);

}  // namespace cloakroom

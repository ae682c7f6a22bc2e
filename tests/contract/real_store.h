// real_store.h — the S3 store that a contract test runs against, and the test's own bucket there.
//
// Needs    S3_ENDPOINT, S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY; tests/servers/ceph-s3 and swift-s3 print them.
// Without
//          them the test is skipped.
#pragma once

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include "base/id.h"
#include "check.h"
#include "storage/s3.h"

namespace cloakroom::real {

struct SystemClock final : Clock {
  std::chrono::seconds late;
  explicit SystemClock(std::chrono::seconds by = {}) : late(by) {}
  TimePoint now() const override { return system_now() - late; }
};
inline const SystemClock kClock;

inline std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

// With a bucket of a new name at each call.
inline S3Options new_options() {
  S3Options options;
  options.endpoint = environment("S3_ENDPOINT");
  options.region = environment("S3_REGION");
  options.bucket = "contract-" + random_hex(6);
  options.access_key_id = environment("S3_ACCESS_KEY_ID");
  options.secret_access_key = environment("S3_SECRET_ACCESS_KEY");
  return options;
}

// The one of this process, with its bucket made.
inline S3Store& store() {
  static const std::unique_ptr<S3Store> one = [] {
    std::unique_ptr<S3Store> made = CHECK_OK(S3Store::make(new_options(), kClock));
    CHECK_OK(made->prepare());
    return made;
  }();
  return *one;
}
inline S3Client& client() {
  return store().client();
}
inline const S3Options& options() {
  return client().options();
}

// First in main(): true when there is no store, and says so.
inline bool is_skipped() {
  if (!environment("S3_ENDPOINT").empty()) return false;
  std::printf("1..0 # SKIP S3_ENDPOINT is not set\n");
  return true;
}

}  // namespace cloakroom::real

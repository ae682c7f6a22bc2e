// s3_put.cc FILE KEY — stores one file as the workers do, without nginx and rows before it: what boto3's upload_file
// and `aws s3 cp` do. The store is named by S3_ENDPOINT, S3_BUCKET, S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY. Prints
// seconds.
#include <fcntl.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "storage/s3.h"

using namespace cloakroom;

namespace {

struct SystemClock final : Clock {
  TimePoint now() const override { return system_now(); }
};

Result<double> put(const std::string& path, std::string_view name) {
  const SystemClock clock;
  S3Options options;
  options.endpoint = std::getenv("S3_ENDPOINT");
  options.region = "us-east-1";
  options.bucket = std::getenv("S3_BUCKET");
  options.access_key_id = std::getenv("S3_ACCESS_KEY_ID");
  options.secret_access_key = std::getenv("S3_SECRET_ACCESS_KEY");
  TRY_ASSIGN(const auto store, S3Store::make(options, clock));
  TRY_ASSIGN(const auto key, ObjectKey::parse(name));
  TRY_ASSIGN(const UniqueFd file, open_file(path, O_RDONLY));
  const auto begin = std::chrono::steady_clock::now();
  const auto stored = store->put(key, {.fd = file.get(), .size = std::filesystem::file_size(path)}, {});
  if (!stored) return stored.error();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace

int main(int count, char** words) {
  if (count != 3) return 2;
  const auto seconds = put(words[1], words[2]);
  if (!seconds) {
    std::fprintf(stderr, "%s\n", seconds.error().detail.c_str());
    return 1;
  }
  std::printf("%.3f\n", *seconds);
}

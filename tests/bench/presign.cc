// presign.cc — µs to presign one URL for a browser, with the names of a real download; the signing key is kept for the
// day.
#include <chrono>
#include <cstdio>

#include "storage/s3.h"

using namespace cloakroom;

int main() {
  struct System final : Clock {
    TimePoint now() const override { return system_now(); }
  } clock;
  S3Options options;
  options.endpoint = "https://s3.example.com";
  options.region = "eu-west-1";
  options.bucket = "cloakroom-files";
  options.access_key_id = "AKIAIOSFODNN7EXAMPLE";
  options.secret_access_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
  const auto store = S3Store::make(options, clock);
  const auto key = ObjectKey::parse("attachments/a1/01a1fe8fe4507b1680ea75890123456789ab");
  if (!store || !key) return 1;
  const PresignRequest request{
      .expires = std::chrono::seconds(3600),
      .content_disposition = "inline; filename=\"_berblick 1.jpg\"; filename*=UTF-8''%C3%9Cberblick%201.jpg",
      .content_type = "image/jpeg",
      .for_browser = true};
  constexpr int kRounds = 50000;
  std::size_t bytes = 0;
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < kRounds; ++i) {
    const auto url = (*store)->presign(*key, request);
    if (!url) return 1;
    bytes += url->size();
  }
  const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - begin;
  std::printf("%.3f %zu\n", took.count() / kRounds, bytes / kRounds);
}

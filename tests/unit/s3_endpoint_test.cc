// s3_endpoint_test.cc — endpoints as people write them, and path or virtual style.
#include "storage/s3_endpoint.h"

#include <string>

#include "check.h"

using namespace cloakroom;  // NOLINT: a test

namespace {

struct Wanted {
  const char *endpoint, *bucket, *base, *path;
};

void an_endpoint_gives_scheme_host_and_path() {
  const Wanted table[] = {
      {"http://127.0.0.1:7480", "files", "http://127.0.0.1:7480", "/files/a/b%20c"},
      {"http://127.0.0.1:7480/", "files", "http://127.0.0.1:7480", "/files/a/b%20c"},
      {"HTTP://S3.Example.COM:80", "files", "http://s3.example.com", "/files/a/b%20c"},
      {"https://s3.example.com:443", "files", "https://s3.example.com", "/files/a/b%20c"},
      {"https://s3.example.com:80", "files", "https://s3.example.com:80", "/files/a/b%20c"},
      {"http://[::1]:9000", "files", "http://[::1]:9000", "/files/a/b%20c"},
      {"http://[::1]", "files", "http://[::1]", "/files/a/b%20c"},
      {"", "files", "https://files.s3.eu-west-1.amazonaws.com", "/a/b%20c"},
      {"https://s3.eu-west-1.amazonaws.com", "files", "https://files.s3.eu-west-1.amazonaws.com", "/a/b%20c"},
      {"https://s3.cn-north-1.amazonaws.com.cn", "files", "https://files.s3.cn-north-1.amazonaws.com.cn", "/a/b%20c"},
      {"", "my.files", "https://s3.eu-west-1.amazonaws.com", "/my.files/a/b%20c"},
      {"", "Files", "https://s3.eu-west-1.amazonaws.com", "/Files/a/b%20c"},
      {"https://amazonaws.com.evil.example", "files", "https://amazonaws.com.evil.example", "/files/a/b%20c"},
  };
  for (const Wanted& w : table) {
    const S3Location location = CHECK_OK(locate_bucket({w.endpoint, "eu-west-1", w.bucket}));
    CHECK_EQ(location.base(), w.base);
    CHECK_EQ(location.path("a/b c"), w.path);
  }
}

void without_an_endpoint_it_is_aws_in_the_region() {
  CHECK_EQ(CHECK_OK(locate_bucket({"", "", "files"})).base(), "https://files.s3.us-east-1.amazonaws.com");
  CHECK_EQ(CHECK_OK(locate_bucket({"", "cn-north-1", "files"})).base(), "https://files.s3.cn-north-1.amazonaws.com.cn");
  CHECK_EQ(CHECK_OK(locate_bucket({"", "cn-north-1", "my.files"})).base(), "https://s3.cn-north-1.amazonaws.com.cn");
}

void the_style_can_be_forced() {
  const auto path = CHECK_OK(locate_bucket({"", "", "files", S3Addressing::kPath}));
  CHECK_EQ(path.base() + path.path("k"), "https://s3.us-east-1.amazonaws.com/files/k");
  const auto host = CHECK_OK(locate_bucket({"http://store.lan:9000", "", "files", S3Addressing::kVirtual}));
  CHECK_EQ(host.base() + host.path("k"), "http://files.store.lan:9000/k");
  CHECK_ERR(locate_bucket({"http://store.lan", "", "my.files", S3Addressing::kVirtual}), Errc::kInvalid);
  CHECK_ERR(locate_bucket({"http://[::1]", "", "files", S3Addressing::kVirtual}), Errc::kInvalid);
}

void what_is_not_an_endpoint_is_refused() {
  for (const char* endpoint :
       {"s3.example.com", "ftp://s3.example.com", "http://", "https:///x", "http://host/path", "http://user@host",
        "http://host:0", "http://host:65536", "http://host:", "http://host:80x", "http://ho st", "http://host?x=1",
        "http://host#x", "http://[::1", "http://host\r\nX: y"}) {
    CHECK_ERR(locate_bucket({endpoint, "", "files"}), Errc::kInvalid);
  }
}

void malformed_buckets_and_regions_are_refused() {
  for (const char* bucket : {"", "ab", "a/b", "a b", "..a", "bucket?", "b\nucket", "\xC3\xBC\xC3\xBC"}) {
    CHECK_ERR(locate_bucket({"http://host", "", bucket}), Errc::kInvalid);
  }
  for (const char* region : {"EU", "eu west", "eu/west", "eu.west"}) {
    CHECK_ERR(locate_bucket({"http://host", region, "files"}), Errc::kInvalid);
  }
}

void the_settings_word_for_the_style_is_read() {
  CHECK(parse_s3_addressing("auto") == S3Addressing::kAuto);
  CHECK(parse_s3_addressing("path") == S3Addressing::kPath);
  CHECK(parse_s3_addressing("virtual") == S3Addressing::kVirtual);
  CHECK(!parse_s3_addressing("vhost"));
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      CASE(an_endpoint_gives_scheme_host_and_path),
      CASE(without_an_endpoint_it_is_aws_in_the_region),
      CASE(the_style_can_be_forced),
      CASE(what_is_not_an_endpoint_is_refused),
      CASE(malformed_buckets_and_regions_are_refused),
      CASE(the_settings_word_for_the_style_is_read),
  };
  return RUN_TESTS("s3_endpoint", tests);
}

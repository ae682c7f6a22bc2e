// wiring_test.cc — what the S3 settings and the store's profile make together.
#include "cmd/wiring.h"

#include <string>

#include "check.h"

using namespace cloakroom;  // NOLINT: a test

namespace {

S3Config config_of(const std::string& endpoint) {
  S3Config s3;
  s3.endpoint = s3.public_endpoint = endpoint;
  s3.bucket = "files";
  s3.addressing = "auto";
  return s3;
}

std::string base_of(const S3Options& o) {
  return CHECK_OK(locate_bucket({o.endpoint, o.region, o.bucket, o.addressing})).base();
}

void a_profile_fills_in_what_the_settings_leave_open() {
  const S3Options spaces = s3_options(config_of("https://fra1.digitaloceanspaces.com"));
  CHECK_EQ(spaces.region, "fra1");
  CHECK_EQ(base_of(spaces), "https://files.fra1.digitaloceanspaces.com");
  const S3Options r2 = s3_options(config_of("https://abc.r2.cloudflarestorage.com"));
  CHECK_EQ(r2.region, "auto");
  CHECK_EQ(base_of(r2), "https://abc.r2.cloudflarestorage.com");
  const S3Options garage = s3_options(config_of("http://garage:3900"));
  CHECK_EQ(garage.region, "garage");
  const S3Options aws = s3_options(config_of("https://s3.eu-west-1.amazonaws.com"));
  CHECK_EQ(aws.region, "eu-west-1");
  CHECK_EQ(base_of(aws), "https://files.s3.eu-west-1.amazonaws.com");
  const S3Options china = s3_options(config_of("https://s3.cn-north-1.amazonaws.com.cn"));
  CHECK_EQ(china.region, "cn-north-1");
  CHECK_EQ(base_of(china), "https://files.s3.cn-north-1.amazonaws.com.cn");
}

void part_rules_and_content_md5_are_the_profiles() {
  for (const S3Profile& profile : all_s3_profiles()) {
    S3Config s3 = config_of("http://10.0.0.7:3900");
    s3.provider = profile.name;
    const S3Options options = s3_options(s3);
    CHECK_EQ(options.parts.min_part_bytes, profile.min_part_bytes);
    CHECK_EQ(options.parts.max_parts, profile.max_parts);
    CHECK_EQ(options.content_md5, profile.content_md5);
  }
}

void what_the_settings_say_wins_over_the_profile() {
  S3Config s3 = config_of("https://fra1.digitaloceanspaces.com");
  s3.region = "us-east-1";
  s3.addressing = "path";
  CHECK_EQ(s3_options(s3).region, "us-east-1");
  CHECK_EQ(base_of(s3_options(s3)), "https://fra1.digitaloceanspaces.com");
  s3 = config_of("http://10.0.0.7:3900");
  CHECK(profile_of(s3).provider == S3Provider::kOther);
  s3.provider = "garage";
  CHECK(profile_of(s3).provider == S3Provider::kGarage);
  CHECK_EQ(s3_options(s3).region, "garage");
}

void a_private_authority_is_for_the_store() {
  S3Config s3 = config_of("https://s3.lan");
  s3.ca_file = "/etc/ssl/lan.pem";
  CHECK_EQ(s3_options(s3).ca_file, "/etc/ssl/lan.pem");
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      CASE(a_profile_fills_in_what_the_settings_leave_open),
      CASE(part_rules_and_content_md5_are_the_profiles),
      CASE(what_the_settings_say_wins_over_the_profile),
      CASE(a_private_authority_is_for_the_store),
  };
  return RUN_TESTS("wiring", tests);
}

// s3_profile_test.cc — which store an endpoint is, and what its row makes of the settings.
#include "storage/s3_profile.h"

#include <set>
#include <string>

#include "check.h"

using namespace cloakroom;  // NOLINT: a test

namespace {

void an_endpoint_tells_its_store() {
  const struct {
    const char *endpoint, *name;
  } table[] = {
      {"https://s3.eu-west-1.amazonaws.com", "aws"},
      {"https://s3.dualstack.eu-west-1.amazonaws.com:443/", "aws"},
      {"https://s3.cn-north-1.amazonaws.com.cn", "aws"},
      {"https://0123456789abcdef.r2.cloudflarestorage.com", "r2"},
      {"https://0123456789abcdef.eu.r2.cloudflarestorage.com", "r2"},
      {"https://s3.eu-central-003.backblazeb2.com", "b2"},
      {"https://FRA1.DigitalOceanSpaces.com", "spaces"},
      {"https://s3.eu-central-2.wasabisys.com", "wasabi"},
      {"https://play.min.io", "minio"},
      {"http://minio:9000", "minio"},
      {"http://eu-minio-2.lan:9000", "minio"},
      {"http://garage.lan:3900", "garage"},
      {"http://s3.garage", "garage"},
      {"http://ceph01:7480", "ceph"},
      {"http://seaweedfs:8333", "seaweedfs"},
      {"https://swift.example.org", "swift"},
      // a domain says more than a word of the rest
      {"https://minio.r2.cloudflarestorage.com", "r2"},
      // and these say nothing
      {"http://127.0.0.1:7480", "other"},
      {"http://[::1]:9000", "other"},
      {"https://s3.example.com", "other"},
      {"https://amazonaws.com.evil.example", "other"},
      {"https://notamazonaws.com", "other"},
      {"https://s3.cn-north-1.amazonaws.com.cn.evil.example", "other"},
      {"https://s3.eu-central-003.backblazeb2.com.cn", "other"},  // China is a matter of AWS alone
      {"https://amazonaws.com", "other"},
      {"http://dominion:9000", "other"},
      {"http://swiftly.example", "other"},
      {"", "other"},
  };
  for (const auto& row : table) CHECK_EQ(s3_profile(guess_s3_provider(row.endpoint)).name, row.name);
}

void the_region_is_taken_from_the_host_where_it_stands_there() {
  const struct {
    const char *endpoint, *region;
  } table[] = {
      {"https://s3.eu-west-1.amazonaws.com", "eu-west-1"},
      {"https://s3.dualstack.eu-west-1.amazonaws.com", "eu-west-1"},
      {"https://s3.cn-north-1.amazonaws.com.cn", "cn-north-1"},
      {"https://s3.dualstack.cn-northwest-1.amazonaws.com.cn:443/", "cn-northwest-1"},
      {"https://s3.amazonaws.com", "us-east-1"},
      {"https://s3-accelerate.amazonaws.com", "us-east-1"},
      {"https://s3.eu-central-003.backblazeb2.com", "eu-central-003"},
      {"https://s3.eu-central-2.wasabisys.com", "eu-central-2"},
      {"https://s3.wasabisys.com", "us-east-1"},
      {"https://fra1.digitaloceanspaces.com", "fra1"},
      {"https://abc.eu.r2.cloudflarestorage.com", "auto"},
      {"http://garage:3900", "garage"},
      {"http://minio:9000", "us-east-1"},
      {"http://127.0.0.1:7480", "us-east-1"},
  };
  for (const auto& row : table) {
    CHECK_EQ(s3_default_region(s3_profile(guess_s3_provider(row.endpoint)), row.endpoint), row.region);
  }
  // A named provider behind a host of its own: nothing to be read there.
  CHECK_EQ(s3_default_region(s3_profile(S3Provider::kB2), "https://files.example.com"), "us-west-001");
}

void the_style_is_the_profiles_unless_named() {
  const S3Profile& spaces = s3_profile(S3Provider::kSpaces);
  CHECK(s3_addressing(spaces, S3Addressing::kAuto, "files") == S3Addressing::kVirtual);
  CHECK(s3_addressing(spaces, S3Addressing::kAuto, "my.files") == S3Addressing::kPath);
  CHECK(s3_addressing(spaces, S3Addressing::kAuto, "") == S3Addressing::kPath);
  CHECK(s3_addressing(spaces, S3Addressing::kPath, "files") == S3Addressing::kPath);
  const S3Profile& minio = s3_profile(S3Provider::kMinio);
  CHECK(s3_addressing(minio, S3Addressing::kAuto, "files") == S3Addressing::kPath);
  CHECK(s3_addressing(minio, S3Addressing::kVirtual, "files") == S3Addressing::kVirtual);
  // virtual below amazonaws.com, path for an emulator that calls itself AWS
  CHECK(s3_addressing(s3_profile(S3Provider::kAws), S3Addressing::kAuto, "files") == S3Addressing::kAuto);
  CHECK(s3_addressing(s3_profile(S3Provider::kOther), S3Addressing::kAuto, "files") == S3Addressing::kAuto);
}

void each_row_is_whole_and_found_by_its_name() {
  std::set<std::string_view> names;
  for (const S3Profile& p : all_s3_profiles()) {
    CHECK(names.insert(p.name).second);
    CHECK_EQ(parse_s3_provider(p.name).has_value(), true);
    CHECK(*parse_s3_provider(p.name) == p.provider);
    CHECK_EQ(s3_profile(p.provider).name, p.name);
    CHECK(!p.region.empty());
    CHECK_EQ(p.min_part_bytes, 5u << 20);
    CHECK(p.content_md5);  // no store of the table refuses it
    CHECK(p.max_parts == 10000 || p.max_parts == 1000);
    // the region in a host is found by its domain
    CHECK(!p.region_in_host || !p.domain.empty());
  }
  CHECK_EQ(names.size(), 11u);
  CHECK(!parse_s3_provider(""));
  CHECK(!parse_s3_provider("AWS"));
}

// The facts that other parts decide by; a row changed by accident is seen here.
void what_direct_uploads_and_parts_depend_on() {
  const auto posts = [](S3Provider p) { return s3_profile(p).post_policy == Fact::kYes; };
  for (const S3Provider p :
       {S3Provider::kAws, S3Provider::kMinio, S3Provider::kCeph, S3Provider::kGarage, S3Provider::kSeaweedfs}) {
    CHECK(posts(p));
  }
  for (const S3Provider p : {S3Provider::kR2, S3Provider::kB2, S3Provider::kSpaces, S3Provider::kWasabi,
                             S3Provider::kSwift, S3Provider::kOther}) {
    CHECK(!posts(p));
  }
  CHECK_EQ(s3_profile(S3Provider::kSwift).max_parts, 1000u);
  CHECK(s3_profile(S3Provider::kB2).checksums == Fact::kNo);
  CHECK(s3_profile(S3Provider::kB2).delete_keeps_bytes == Fact::kYes);
  CHECK(s3_profile(S3Provider::kMinio).cors_api == Fact::kNo);
  CHECK(s3_profile(S3Provider::kSwift).cors_api == Fact::kNo);
  CHECK(s3_profile(S3Provider::kSwift).lifecycle_abort == Fact::kNo);
  CHECK(s3_profile(S3Provider::kSwift).conditional_put == Fact::kNo);
  CHECK(s3_profile(S3Provider::kR2).response_overrides == Fact::kUnsure);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      CASE(an_endpoint_tells_its_store),
      CASE(the_region_is_taken_from_the_host_where_it_stands_there),
      CASE(the_style_is_the_profiles_unless_named),
      CASE(each_row_is_whole_and_found_by_its_name),
      CASE(what_direct_uploads_and_parts_depend_on),
  };
  return RUN_TESTS("s3_profile", tests);
}

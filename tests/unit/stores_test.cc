// stores_test.cc — what the S3 settings and the store's profile make together, and which store is for what.
#include "cmd/stores.h"

#include <string>

#include "check.h"
#include "fake/clock.h"

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

Config config_with(std::initializer_list<StoreKind> kinds, std::string storage) {
  Config config;
  config.storage = std::move(storage);
  config.storage_path = "/nonexistent";
  config.workers = 2;
  for (const StoreKind kind : kinds) {
    S3Config s3 = config_of("http://10.0.0.7:9000");
    s3.bucket = std::string(to_string(kind)) + "-files";
    s3.access_key_id = "key";
    s3.secret_access_key = "secret";
    (kind == StoreKind::kS3 ? config.s3 : config.s3_secondary) = std::move(s3);
  }
  return config;
}

void each_kind_has_its_own_bucket_and_says_so() {
  const fake::FixedClock clock;
  const Config config = config_with({StoreKind::kS3, StoreKind::kS3Secondary}, "s3-secondary");
  const StoreSet stores = CHECK_OK(make_stores(config, clock));
  const Stores all = stores.all();
  for (const StoreKind kind : {StoreKind::kLocal, StoreKind::kS3, StoreKind::kS3Secondary}) {
    CHECK(all.by_kind(kind)->kind() == kind);
    CHECK_EQ(all.presigner(kind) == nullptr, kind == StoreKind::kLocal);
  }
  CHECK_EQ(stores.s3_of(StoreKind::kS3)->store->client().options().bucket, "s3-files");
  CHECK_EQ(stores.s3_of(StoreKind::kS3Secondary)->store->client().options().bucket, "s3-secondary-files");
  CHECK(stores.s3_of(StoreKind::kLocal) == nullptr);
  CHECK_EQ(stores.s3_sets().size(), 2u);
  CHECK(&stores.for_new_files(config) == all.by_kind(StoreKind::kS3Secondary));
  CHECK_EQ(s3_config(config, StoreKind::kS3Secondary)->bucket, "s3-secondary-files");
}

void what_is_not_configured_is_null() {
  const fake::FixedClock clock;
  const StoreSet none = CHECK_OK(make_stores(config_with({}, "local"), clock));
  CHECK(none.all().by_kind(StoreKind::kS3) == nullptr && none.all().presigner(StoreKind::kS3Secondary) == nullptr);
  CHECK(none.s3_sets().empty());
  const StoreSet second = CHECK_OK(make_stores(config_with({StoreKind::kS3Secondary}, "s3-secondary"), clock));
  CHECK(second.all().by_kind(StoreKind::kS3) == nullptr && second.s3_of(StoreKind::kS3) == nullptr);
  CHECK(second.all().by_kind(StoreKind::kS3Secondary) != nullptr);
}

// They were meant for the store that new files went to; after a change of STORAGE any is better than this disk.
void kept_files_go_where_new_ones_do_or_else_to_the_first() {
  const fake::FixedClock clock;
  const auto target = [&](std::initializer_list<StoreKind> kinds, const char* storage) {
    const Config config = config_with(kinds, storage);
    const StoreSet stores = CHECK_OK(make_stores(config, clock));
    const S3Set* const set = stores.for_kept_files(config);
    return set == nullptr ? StoreKind::kLocal : set->store->kind();
  };
  CHECK(target({StoreKind::kS3, StoreKind::kS3Secondary}, "s3-secondary") == StoreKind::kS3Secondary);
  CHECK(target({StoreKind::kS3, StoreKind::kS3Secondary}, "s3") == StoreKind::kS3);
  CHECK(target({StoreKind::kS3, StoreKind::kS3Secondary}, "local") == StoreKind::kS3);
  CHECK(target({StoreKind::kS3Secondary}, "local") == StoreKind::kS3Secondary);
  CHECK(target({}, "local") == StoreKind::kLocal);
}

// What children share of one store says nothing of the other.
void an_outage_of_one_store_closes_the_other_to_nobody() {
  const fake::FixedClock clock;
  const SharedScoreboard board;
  const Config config = config_with({StoreKind::kS3, StoreKind::kS3Secondary}, "s3");
  const StoreSet stores = CHECK_OK(make_stores(config, clock, &*board));
  for (int i = 0; i < 3; ++i) stores.s3_secondary->breaker->note(Error{Errc::kStore, "away", {}, true});
  CHECK_ERR(stores.all().by_kind(StoreKind::kS3Secondary)->admits(), Errc::kStoreAway);
  CHECK_OK(stores.all().by_kind(StoreKind::kS3)->admits());
  board->s3_secondary_calls.holders[0] = 4711;
  board->forget(4711);
  CHECK_EQ(board->s3_secondary_calls.holders[0].load(), 0);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      CASE(a_profile_fills_in_what_the_settings_leave_open),
      CASE(part_rules_and_content_md5_are_the_profiles),
      CASE(what_the_settings_say_wins_over_the_profile),
      CASE(a_private_authority_is_for_the_store),
      CASE(each_kind_has_its_own_bucket_and_says_so),
      CASE(what_is_not_configured_is_null),
      CASE(kept_files_go_where_new_ones_do_or_else_to_the_first),
      CASE(an_outage_of_one_store_closes_the_other_to_nobody),
  };
  return RUN_TESTS("stores", tests);
}

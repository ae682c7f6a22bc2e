// config_s3_test.cc — a second S3 store: the same settings behind another prefix, and two that must be two.
#include <map>
#include <string>

#include "base/config.h"
#include "check.h"

using namespace cloakroom;

namespace {

using Env = std::map<std::string, std::string, std::less<>>;

const Env kLeast{{"DATABASE_URL", "postgresql:///cloakroom"}, {"JWT_SECRET", "0123456789abcdef"}};
const Env kFirst{{"STORAGE", "s3"},
                 {"S3_BUCKET", "files"},
                 {"S3_ENDPOINT", "http://one.example:9000"},
                 {"S3_ACCESS_KEY_ID", "first-id"},
                 {"S3_SECRET_ACCESS_KEY", "first-secret"}};
const Env kSecond{{"S3_SECONDARY_BUCKET", "archive"},
                  {"S3_SECONDARY_ENDPOINT", "https://two.example"},
                  {"S3_SECONDARY_ACCESS_KEY_ID", "second-id"},
                  {"S3_SECONDARY_SECRET_ACCESS_KEY", "second-secret"}};

Env merged(std::initializer_list<Env> parts) {
  Env env = kLeast;
  for (const Env& part : parts) {
    for (const auto& [name, value] : part) env[name] = value;
  }
  return env;
}

Result<Config> try_read(const Env& env) {
  return read_config([&env](std::string_view name) -> std::optional<std::string> {
    const auto found = env.find(name);
    return found == env.end() ? std::nullopt : std::optional(found->second);
  });
}

Config read(std::initializer_list<Env> parts) {
  return CHECK_OK(try_read(merged(parts)));
}

std::string problems(std::initializer_list<Env> parts) {
  const auto config = try_read(merged(parts));
  return config ? "" : config.error().detail;
}

bool names(const std::string& all, std::string_view setting) {
  return ("\n" + all).find("\n" + std::string(setting) + ": ") != std::string::npos;
}

}  // namespace

static void each_store_has_its_own_settings() {
  const Config c = read({kFirst, kSecond, {{"S3_SECONDARY_REGION", "eu-west-3"}, {"S3_SECONDARY_PROVIDER", "ceph"}}});
  CHECK_EQ(c.s3->bucket, "files");
  CHECK_EQ(c.s3->access_key_id, "first-id");
  CHECK_EQ(c.s3->region, "");
  CHECK_EQ(c.s3->provider, "");
  CHECK_EQ(c.s3_secondary->bucket, "archive");
  CHECK_EQ(c.s3_secondary->endpoint, "https://two.example");
  CHECK_EQ(c.s3_secondary->public_endpoint, "https://two.example");
  CHECK_EQ(c.s3_secondary->access_key_id, "second-id");
  CHECK_EQ(c.s3_secondary->secret_access_key, "second-secret");
  CHECK_EQ(c.s3_secondary->region, "eu-west-3");
  CHECK_EQ(c.s3_secondary->provider, "ceph");
  CHECK_EQ(c.s3_of_new_files()->bucket, "files");
}

static void without_a_bucket_there_is_no_second_store() {
  CHECK(!read({kFirst}).s3_secondary);
  CHECK(!read({kFirst, {{"S3_SECONDARY_ENDPOINT", "https://two.example"}}}).s3_secondary);
  CHECK(read({{{"STORAGE", "local"}}, kSecond}).s3_secondary);  // older files may lie there
  CHECK(!read({{{"STORAGE", "local"}}, kSecond}).is_in_s3());
}

// After everything was moved the first one's settings go.
static void the_second_store_may_be_the_only_one() {
  const Config c = read({kSecond, {{"STORAGE", "s3-secondary"}, {"DELIVERY", "redirect"}, {"S3_FALLBACK", "local"}}});
  CHECK(!c.s3 && c.is_in_s3() && c.has_s3());
  CHECK_EQ(c.s3_of_new_files()->bucket, "archive");
  CHECK_EQ(
      problems({kSecond, {{"STORAGE", "s3-secondary"}, {"VISIBILITY", "public"}, {"CDN_URL", "https://cdn.example"}}}),
      "");
  const std::string all = problems({{{"STORAGE", "s3-secondary"}, {"S3_SECONDARY_ENDPOINT", "https://two.example"}}});
  CHECK(names(all, "S3_SECONDARY_BUCKET") && names(all, "S3_SECONDARY_ACCESS_KEY_ID"));
  CHECK(!names(all, "S3_BUCKET") && !names(all, "S3_ACCESS_KEY_ID"));
}

static void problems_name_the_setting_that_is_wrong() {
  const auto second = [](const char* name, const char* value) { return problems({kFirst, kSecond, {{name, value}}}); };
  for (const char* name :
       {"S3_SECONDARY_ENDPOINT", "S3_SECONDARY_PUBLIC_ENDPOINT", "S3_SECONDARY_BUCKET", "S3_SECONDARY_REGION",
        "S3_SECONDARY_ADDRESSING", "S3_SECONDARY_PROVIDER", "S3_SECONDARY_CA_FILE"}) {
    const std::string all = second(name, "no such thing;");
    CHECK(names(all, name));
    CHECK(all.find("\nS3_") == all.find("\nS3_SECONDARY_"));  // and nothing of the first
  }
  CHECK(names(second("S3_SECONDARY_SECRET_ACCESS_KEY", ""), "S3_SECONDARY_SECRET_ACCESS_KEY"));
  CHECK(names(second("S3_SECONDARY_ACCESS_KEY_ID", ""), "S3_SECONDARY_ACCESS_KEY_ID"));
}

static void other_names_are_the_first_one_s_alone() {
  const Config c = read({kSecond,
                         {{"STORAGE", "s3"},
                          {"AWS_BUCKET", "files"},
                          {"AWS_REGION", "eu-central-1"},
                          {"AWS_ACCESS_KEY_ID", "aws-id"},
                          {"AWS_SECRET_ACCESS_KEY", "aws-secret"},
                          {"AWS_CA_BUNDLE", "/etc/ssl/lan.pem"}}});
  CHECK_EQ(c.s3->region, "eu-central-1");
  CHECK_EQ(c.s3_secondary->region, "");
  CHECK_EQ(c.s3_secondary->access_key_id, "second-id");
  CHECK_EQ(c.s3_secondary->ca_file, "");
  // nor are another's keys taken for it
  const std::string all = problems({{{"STORAGE", "s3-secondary"},
                                     {"S3_SECONDARY_BUCKET", "archive"},
                                     {"S3_SECONDARY_ENDPOINT", "https://two.example"},
                                     {"R2_ACCOUNT_ID", "abc"},
                                     {"AWS_ACCESS_KEY_ID", "aws-id"},
                                     {"AWS_SECRET_ACCESS_KEY", "aws-secret"}}});
  CHECK(names(all, "S3_SECONDARY_ACCESS_KEY_ID"));
}

// An audit of one would take the files of the other for left-overs.
static void two_stores_are_two_buckets() {
  const Env same{{"S3_SECONDARY_ENDPOINT", "http://one.example:9000/"}, {"S3_SECONDARY_BUCKET", "files"}};
  CHECK(names(problems({kFirst, kSecond, same}), "S3_SECONDARY_BUCKET"));
  CHECK_EQ(problems({kFirst, kSecond, same, {{"S3_SECONDARY_BUCKET", "archive"}}}), "");
  const auto is_refused = [](const char* first, const char* second) {
    const Env endpoints{{"S3_ENDPOINT", first}, {"S3_SECONDARY_ENDPOINT", second}, {"S3_SECONDARY_BUCKET", "files"}};
    return names(problems({kFirst, kSecond, endpoints}), "S3_SECONDARY_BUCKET");
  };
  CHECK(is_refused("https://one.example", "https://one.example:443"));
  CHECK(is_refused("http://one.example:80/", "http://one.example"));
  CHECK(is_refused("https://One.Example", "https://oNE.example:443/"));
  CHECK(!is_refused("https://one.example", "https://one.example:80"));
  CHECK(!is_refused("https://one.example:443", "https://one.example:8443"));
  CHECK(!is_refused("http://one.example", "http://one.example:443"));
}

int main() {
  const CMUnitTest tests[] = {
      CASE(each_store_has_its_own_settings),       CASE(without_a_bucket_there_is_no_second_store),
      CASE(the_second_store_may_be_the_only_one),  CASE(problems_name_the_setting_that_is_wrong),
      CASE(other_names_are_the_first_one_s_alone), CASE(two_stores_are_two_buckets),
  };
  return RUN_TESTS("config_s3", tests);
}

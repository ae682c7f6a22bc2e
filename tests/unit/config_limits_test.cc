// config_limits_test.cc — how rates are written, and the settings that hold them.
#include "base/config_limits.h"

#include <map>
#include <string>

#include "base/rate.h"
#include "check.h"

using namespace cloakroom;

namespace {

using Env = std::map<std::string, std::string, std::less<>>;

Result<Config> read(const Env& changes) {
  Env env{{"DATABASE_URL", "postgresql:///cloakroom"}, {"JWT_SECRET", "0123456789abcdef"}};
  for (const auto& [name, value] : changes) env[name] = value;
  return read_config([&env](std::string_view name) -> std::optional<std::string> {
    const auto found = env.find(name);
    return found == env.end() ? std::nullopt : std::optional(found->second);
  });
}

bool is_wrong(const std::string& name, const std::string& value) {
  const auto config = read({{name, value}});
  return !config && config.error().detail.starts_with(name + ": ");
}

}  // namespace

static void a_rate_has_a_count_a_unit_and_perhaps_a_burst() {
  CHECK(CHECK_OK(parse_rate("60/m")) == (Rate{60, std::chrono::minutes(1), 60}));
  CHECK(CHECK_OK(parse_rate("10/s burst 40")) == (Rate{10, std::chrono::seconds(1), 40}));
  CHECK(CHECK_OK(parse_rate("1/h burst 1")) == (Rate{1, std::chrono::hours(1), 1}));
  CHECK(CHECK_OK(parse_rate("1000000/d")) == (Rate{1000000, std::chrono::hours(24), 1000000}));
  CHECK(!CHECK_OK(parse_rate("off")).is_on());
  CHECK_EQ(CHECK_OK(parse_rate("60/m")).interval().count(), 1000000);
  for (const char* text : {"60/m", "10/s burst 40", "7/d", "off"}) {
    CHECK_EQ(to_string(CHECK_OK(parse_rate(text))), text);
  }
}

static void what_is_no_rate_is_refused() {
  for (const char* text : {"", "60", "/m", "0/m", "60/", "60/w", "60/min", "60 /m", "60/m burst", "60/m burst 0",
                           "60/m  burst 5", "60/mburst 5", "-1/m", "1000001/s", "1/m burst 1000001", "1.5/s", "OFF"}) {
    CHECK_ERR(parse_rate(text), Errc::kInvalid);
  }
}

static void limits_are_on_by_default_and_generous() {
  const LimitsConfig limits = CHECK_OK(read({})).limits;
  for (const Rate& rate : {limits.user.uploads, limits.user.downloads, limits.user.misses, limits.nginx_requests}) {
    CHECK(rate.is_on());
  }
  CHECK(limits.user.downloads.burst >= 1000);
  CHECK(limits.address.downloads.count >= 10 * limits.user.downloads.count);
  CHECK(limits.nginx_requests.burst >= 1000);  // a page of pictures
  CHECK(limits.nginx_connections > 0);
  CHECK(limits.trusted_proxies.empty());
}

static void bad_limits_are_named() {
  for (const char* name : {"RATE_UPLOADS", "RATE_DOWNLOADS", "RATE_MISSES", "RATE_UPLOADS_ADDRESS",
                           "RATE_DOWNLOADS_ADDRESS", "RATE_MISSES_ADDRESS", "NGINX_LIMIT_REQUESTS"}) {
    CHECK(is_wrong(name, "many"));
    CHECK(read({{name, "off"}}).has_value());
  }
  CHECK(is_wrong("NGINX_LIMIT_REQUESTS", "60/h"));
  CHECK(is_wrong("NGINX_LIMIT_CONNECTIONS", "few"));
  CHECK(is_wrong("NGINX_LIMIT_CONNECTIONS", "65536"));
  CHECK(read({{"NGINX_LIMIT_CONNECTIONS", "65535"}}).has_value());
  CHECK(is_wrong("TRUSTED_PROXIES", "10.0.0.0/8, proxy.example.com"));
  CHECK(is_wrong("TRUSTED_PROXIES", "10.0.0.0/8; deny all"));
}

static void proxies_are_a_list() {
  const Config config = CHECK_OK(read({{"TRUSTED_PROXIES", " 10.0.0.0/8 ,2001:db8::1,"}}));
  CHECK(config.limits.trusted_proxies == (std::vector<std::string>{"10.0.0.0/8", "2001:db8::1"}));
}

static void quotas_are_off_by_default_and_written_as_sizes_and_numbers() {
  const LimitsConfig none = CHECK_OK(read({})).limits;
  for (const auto& quota : {none.user_quota, none.dialog_quota}) CHECK(quota.bytes == 0 && quota.files == 0);
  const LimitsConfig some = CHECK_OK(read({{"QUOTA_USER_BYTES", "10G"},
                                           {"QUOTA_USER_FILES", "7"},
                                           {"QUOTA_DIALOG_BYTES", "1000"},
                                           {"QUOTA_DIALOG_FILES", "0"}}))
                                .limits;
  CHECK_EQ(some.user_quota.bytes, std::uint64_t{10} << 30);
  CHECK_EQ(some.user_quota.files, 7u);
  CHECK_EQ(some.dialog_quota.bytes, 1000u);
  CHECK_EQ(some.dialog_quota.files, 0u);
  for (const char* name : {"QUOTA_USER_BYTES", "QUOTA_DIALOG_BYTES"}) {
    for (const char* value : {"much", "-1", "10X"}) CHECK(is_wrong(name, value));
  }
  for (const char* name : {"QUOTA_USER_FILES", "QUOTA_DIALOG_FILES"}) {
    for (const char* value : {"many", "-1", "1K", "1000000000001"}) CHECK(is_wrong(name, value));
  }
}

int main() {
  const CMUnitTest tests[] = {
      CASE(a_rate_has_a_count_a_unit_and_perhaps_a_burst),
      CASE(what_is_no_rate_is_refused),
      CASE(limits_are_on_by_default_and_generous),
      CASE(bad_limits_are_named),
      CASE(proxies_are_a_list),
      CASE(quotas_are_off_by_default_and_written_as_sizes_and_numbers),
  };
  return RUN_TESTS("config_limits", tests);
}

// config_access_test.cc — the settings of links and of the application's word: what contradicts, and what is too weak.
#include "base/config_access.h"

#include <map>
#include <string>

#include "check.h"

using namespace cloakroom;

namespace {

using Env = std::map<std::string, std::string, std::less<>>;

const std::string kSecret = "0123456789abcdef";

Result<Config> read(const Env& changes) {
  Env env{{"DATABASE_URL", "postgresql:///cloakroom"}, {"JWT_SECRET", kSecret}};
  for (const auto& [name, value] : changes) env[name] = value;
  return read_config([&env](std::string_view name) -> std::optional<std::string> {
    const auto found = env.find(name);
    return found == env.end() ? std::nullopt : std::optional(found->second);
  });
}

// The names of the settings that are complained about, in order, each with a blank behind it.
std::string wrong(const Env& changes) {
  const auto config = read(changes);
  if (config) return {};
  std::string names;
  const std::string& text = config.error().detail;
  for (std::size_t at = 0; at < text.size(); at = text.find('\n', at) + 1) {
    names += text.substr(at, text.find(':', at) - at) + " ";
  }
  return names;
}

}  // namespace

static void links_are_off_and_last_an_hour_by_default() {
  const Config config = CHECK_OK(read({}));
  CHECK_EQ(config.link_secret, "");
  CHECK_EQ(config.link_expires.count(), 3600);
  CHECK_EQ(config.link_max_expires.count(), 604800);
  CHECK_EQ(config.auth_request_cache.count(), 0);
}

static void secrets_of_links_are_long_and_come_in_order() {
  CHECK_EQ(wrong({{"LINK_SECRET", kSecret}, {"LINK_SECRET_PREVIOUS", kSecret}}), "");
  CHECK_EQ(wrong({{"LINK_SECRET", "0123456789abcde"}}), "LINK_SECRET ");
  CHECK_EQ(wrong({{"LINK_SECRET", kSecret}, {"LINK_SECRET_PREVIOUS", "short"}}), "LINK_SECRET_PREVIOUS ");
  CHECK_EQ(wrong({{"LINK_SECRET_PREVIOUS", kSecret}}), "LINK_SECRET_PREVIOUS ");
  for (const Setting& s : all_settings()) {
    if (s.name.starts_with("LINK_SECRET")) CHECK(s.secret);
  }
}

static void the_life_of_a_link_stays_below_its_maximum() {
  CHECK_EQ(wrong({{"LINK_EXPIRES", "60"}, {"LINK_MAX_EXPIRES", "60"}}), "");
  CHECK_EQ(wrong({{"LINK_EXPIRES", "61"}, {"LINK_MAX_EXPIRES", "60"}}), "LINK_EXPIRES ");
  CHECK_EQ(wrong({{"LINK_EXPIRES", "0"}}), "LINK_EXPIRES ");
  CHECK_EQ(wrong({{"LINK_MAX_EXPIRES", "31536001"}}), "LINK_MAX_EXPIRES LINK_EXPIRES ");
}

static void the_application_is_asked_in_one_way() {
  const Env header{{"AUTH", "header"}};
  const auto and_also = [&](Env more) {
    more.insert(header.begin(), header.end());
    return wrong(more);
  };
  for (const char* url : {"http://127.0.0.1:3000/cloakroom/access", "https://app.example.com/x?y=1", "http://[::1]:8/",
                          "http://unix:/run/app.sock:/access"}) {
    CHECK_EQ(and_also({{"AUTH_REQUEST_URL", url}, {"AUTH_REQUEST_CACHE", "5"}}), "");
  }
  for (const char* url :
       {"127.0.0.1/x", "http://app", "http:///x", "ftp://app/x", "http://a b/", "http://a/;x", "http://a/$x",
        "http://a/\"", "http://a/@INSTANCE@", "http://unix:/run/app.sock", "http://a/{x}"}) {
    CHECK_EQ(and_also({{"AUTH_REQUEST_URL", url}}), "AUTH_REQUEST_URL ");
  }
  CHECK_EQ(and_also({{"AUTH_REQUEST_URL", "http://a/b"}, {"AUTH_REQUEST", "/session"}}), "AUTH_REQUEST_URL ");
  CHECK_EQ(wrong({{"AUTH_REQUEST_URL", "http://a/b"}}), "AUTH_REQUEST_URL ");
  CHECK_EQ(and_also({{"AUTH_REQUEST", "/session"}, {"AUTH_REQUEST_CACHE", "5"}}), "AUTH_REQUEST_CACHE ");
  CHECK_EQ(and_also({{"AUTH_REQUEST_URL", "http://a/b"}, {"AUTH_REQUEST_CACHE", "3601"}}), "AUTH_REQUEST_CACHE ");
}

int main() {
  const CMUnitTest tests[] = {
      CASE(links_are_off_and_last_an_hour_by_default),
      CASE(secrets_of_links_are_long_and_come_in_order),
      CASE(the_life_of_a_link_stays_below_its_maximum),
      CASE(the_application_is_asked_in_one_way),
  };
  return RUN_TESTS("config_access", tests);
}

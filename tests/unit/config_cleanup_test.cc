// config_cleanup_test.cc — the settings of the clean-up: what is not understood removes nothing.
#include "base/config_cleanup.h"

#include <map>
#include <string>

#include "check.h"

using namespace cloakroom;

namespace {

using Settings = std::map<std::string, std::string, std::less<>>;

Result<Config> read(const Settings& more) {
  Settings all{{"DATABASE_URL", "postgresql:///x"}, {"JWT_SECRET", "0123456789abcdef"}};
  for (const auto& [name, value] : more) all[name] = value;
  return read_config([all](std::string_view name) -> std::optional<std::string> {
    const auto found = all.find(name);
    return found == all.end() ? std::nullopt : std::optional(found->second);
  });
}

void a_week_for_stale_uploads_and_to_undo_and_nothing_else_goes() {
  const Config c = CHECK_OK(read({}));
  CHECK_EQ(c.cleanup.stale.count(), 168);
  CHECK_EQ(c.cleanup.undo.count(), 168);
  CHECK(c.cleanup.retention.empty() && c.cleanup.owner_query.empty());
  CHECK(c.jobs.parallel == 1 && c.jobs.most_failures == 20);
}

void rules_are_read_in_their_order() {
  const Config c = CHECK_OK(read({{"RETENTION", "image:365d application/pdf:48h, video/*:1d *:730d"},
                                  {"STALE_HOURS", "0"},
                                  {"UNDO_DAYS", "0"},
                                  {"OWNER_QUERY", "SELECT id FROM app.m WHERE id = ANY($1::text[])"},
                                  {"JOBS_PARALLEL", "4"}}));
  const auto& rules = c.cleanup.retention;
  CHECK_EQ(rules.size(), 4u);
  CHECK(rules[0].type == "image" && rules[0].age == std::chrono::hours(365 * 24));
  CHECK(rules[1].type == "application/pdf" && rules[1].age == std::chrono::hours(48));
  CHECK(rules[2].type == "video/*" && rules[3].type == "*");
  CHECK(c.cleanup.stale.count() == 0 && c.cleanup.undo.count() == 0);
  CHECK_EQ(c.jobs.parallel, 4u);
}

void what_is_no_rule_stops_the_program() {
  for (const char* wrong :
       {"image", "image:", "image:365", "image:0d", "image:-1d", "pictures:1d", "Image:1d", "image:1w", "image:1.5d",
        "/pdf:1d", "image/:1d", "a/b/c:1d", ":1d", "image:36501d", "image: 1d"}) {
    const auto config = read({{"RETENTION", wrong}});
    if (config) CHECK_EQ(std::string("refused"), wrong);
    CHECK(config.error().detail.find("RETENTION") != std::string::npos);
  }
}

void a_query_that_asks_about_nothing_is_refused() {
  const auto config = read({{"OWNER_QUERY", "SELECT id FROM app.messages"}});
  CHECK_ERR(config, Errc::kInvalid);
  CHECK(config.error().detail.find("has no $1") != std::string::npos);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      CASE(a_week_for_stale_uploads_and_to_undo_and_nothing_else_goes),
      CASE(rules_are_read_in_their_order),
      CASE(what_is_no_rule_stops_the_program),
      CASE(a_query_that_asks_about_nothing_is_refused),
  };
  return RUN_TESTS("config_cleanup", tests);
}

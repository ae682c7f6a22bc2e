// config_variants_test.cc — the sizes and formats of smaller pictures, and what is refused.
#include "base/config_variants.h"

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

std::string sizes_of(const Config& c) {
  std::string text;
  for (const VariantSetting& v : c.variants) {
    text += v.name + ":" + std::to_string(v.max_width) + "x" + std::to_string(v.max_height) + " ";
  }
  return text;
}

void check_refused(const Settings& settings, const std::string& words) {
  const auto config = read(settings);
  CHECK_ERR(config, Errc::kInvalid);
  if (config.error().detail.find(words) == std::string::npos) CHECK_EQ(config.error().detail, words);
}

}  // namespace

static void three_sizes_and_webp_are_usual() {
  const Config c = CHECK_OK(read({}));
  CHECK_EQ(sizes_of(c), "thumb:250x0 preview:400x300 large:1600x0 ");
  CHECK(c.variant_formats == std::vector<std::string>{"webp"});
}

static void sizes_are_written_in_three_ways_between_blanks_or_commas() {
  CHECK_EQ(sizes_of(CHECK_OK(read({{"VARIANTS", "a:1,b-_9:20x30  c:x8192"}}))), "a:1x0 b-_9:20x30 c:0x8192 ");
  CHECK_EQ(sizes_of(CHECK_OK(read({{"VARIANTS", "none"}}))), "");
}

static void what_is_no_size_is_named() {
  for (const std::string bad :
       {"thumb", "thumb:", ":250", "Thumb:250", "th.umb:250", "thumb:0", "thumb:x", "thumb:250x", "thumb:8193",
        "thumb:-1", "thumb:250x300x2", "a/b:250", "n2345678901234567890123456789012x:250"}) {
    check_refused({{"VARIANTS", bad}}, "VARIANTS: '" + bad + "' is not a size such as thumb:250");
  }
  check_refused({{"VARIANTS", "a:1 a:2"}}, "VARIANTS: 'a' is there twice");
  std::string many;
  for (int i = 0; i < 17; ++i) many += "v" + std::to_string(i) + ":100 ";
  check_refused({{"VARIANTS", many}}, "VARIANTS: has more than 16 sizes");
}

static void formats_are_a_list_that_may_be_empty() {
  CHECK(CHECK_OK(read({{"VARIANT_FORMATS", "avif, webp"}})).variant_formats ==
        (std::vector<std::string>{"avif", "webp"}));
  CHECK(CHECK_OK(read({{"VARIANT_FORMATS", "none"}})).variant_formats.empty());
  check_refused({{"VARIANT_FORMATS", "webp,jpeg"}}, "VARIANT_FORMATS: 'jpeg' is neither avif nor webp");
}

int main() {
  const CMUnitTest tests[] = {
      CASE(three_sizes_and_webp_are_usual),
      CASE(sizes_are_written_in_three_ways_between_blanks_or_commas),
      CASE(what_is_no_size_is_named),
      CASE(formats_are_a_list_that_may_be_empty),
  };
  return RUN_TESTS("config_variants", tests);
}

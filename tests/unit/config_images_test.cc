// config_images_test.cc — the settings of pictures: none are made unless asked for, and their maker needs no other
// setting.
#include "base/config_images.h"

#include <map>
#include <string>

#include "check.h"

using namespace cloakroom;  // NOLINT: a test

namespace {

using Settings = std::map<std::string, std::string, std::less<>>;

Result<ImagerConfig> read(Settings all) {
  return read_imager_config([all = std::move(all)](std::string_view name) -> std::optional<std::string> {
    const auto found = all.find(name);
    return found == all.end() ? std::nullopt : std::optional(found->second);
  });
}

void check_refused(const Settings& settings, const std::string& words) {
  const auto config = read(settings);
  CHECK_ERR(config, Errc::kInvalid);
  if (config.error().detail.find(words) == std::string::npos) CHECK_EQ(config.error().detail, words);
}

}  // namespace

static void the_maker_of_pictures_needs_no_setting_at_all() {
  const ImagerConfig c = CHECK_OK(read({}));
  CHECK(c.images.socket.empty() && c.sandbox);
  CHECK_EQ(c.images.ffmpeg, "/usr/bin/ffmpeg");
  CHECK(CHECK_OK(read({{"IMAGE_FFMPEG", "off"}})).images.ffmpeg.empty());
  CHECK(CHECK_OK(read({{"IMAGE_FFMPEG", ""}})).images.ffmpeg == "/usr/bin/ffmpeg");
  CHECK_EQ(c.images.workers, 0U);
  CHECK_EQ(c.images.max_pixels, 50'000'000U);
  CHECK_EQ(c.images.memory_bytes, 1ULL << 30);
  CHECK_EQ(c.images.timeout.count(), 10);
}

static void the_worker_reads_the_same() {
  const Settings all{
      {"DATABASE_URL", "postgresql:///x"}, {"JWT_SECRET", "0123456789abcdef"}, {"IMAGE_SOCKET", "/run/i"}};
  const Config c = CHECK_OK(read_config([&](std::string_view name) -> std::optional<std::string> {
    const auto found = all.find(name);
    return found == all.end() ? std::nullopt : std::optional(found->second);
  }));
  CHECK_EQ(c.images.socket, "/run/i");
}

static void each_problem_is_named() {
  check_refused({{"IMAGE_SOCKET", "run/i"}}, "IMAGE_SOCKET: 'run/i' is not the path of a socket");
  check_refused({{"IMAGE_SOCKET", "/" + std::string(107, 'x')}}, "IMAGE_SOCKET");
  check_refused({{"IMAGE_FFMPEG", "ffmpeg"}}, "IMAGE_FFMPEG: 'ffmpeg' is neither the path");
  check_refused({{"IMAGE_WORKERS", "257"}}, "IMAGE_WORKERS");
  check_refused({{"IMAGE_MAX_PIXELS", "0"}}, "IMAGE_MAX_PIXELS");
  check_refused({{"IMAGE_MEMORY", "255M"}}, "IMAGE_MEMORY: is not between 256M and 64G");
  check_refused({{"IMAGE_MEMORY", "65G"}}, "IMAGE_MEMORY");
  check_refused({{"IMAGE_TIMEOUT", "301"}, {"SANDBOX", "perhaps"}}, "IMAGE_TIMEOUT");
}

int main() {
  const CMUnitTest tests[] = {
      CASE(the_maker_of_pictures_needs_no_setting_at_all),
      CASE(the_worker_reads_the_same),
      CASE(each_problem_is_named),
  };
  return RUN_TESTS("config_images", tests);
}

// config_scan_test.cc — the settings of what looks into files: the virus scanner is off unless named, and only what
// clamd can keep; metadata goes unless it is to stay.
#include "base/config_scan.h"

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

void check_refused(const Settings& settings, const std::string& words) {
  const auto config = read(settings);
  CHECK_ERR(config, Errc::kInvalid);
  if (config.error().detail.find(words) == std::string::npos) CHECK_EQ(config.error().detail, words);
}

}  // namespace

static void nothing_is_scanned_unless_asked_for_and_then_failure_is_closed() {
  const Config c = CHECK_OK(read({}));
  CHECK(c.clamd_socket.empty() && !c.clamd_fail_open);
  CHECK_EQ(c.clamd_max_bytes, 25ULL << 20);
  CHECK_EQ(c.clamd_timeout.count(), 60000);
  CHECK_EQ(c.clamd_connect_timeout.count(), 2000);
  CHECK_EQ(c.rescan_bytes_per_second, 5ULL << 20);
}

static void what_is_said_is_read() {
  const Config c = CHECK_OK(read({{"CLAMD_SOCKET", "/run/clamav/clamd.ctl"},
                                  {"CLAMD_FAIL", "open"},
                                  {"CLAMD_MAX_SIZE", "100M"},
                                  {"CLAMD_TIMEOUT", "5"},
                                  {"RESCAN_RATE", "0"}}));
  CHECK_EQ(c.clamd_socket, "/run/clamav/clamd.ctl");
  CHECK(c.clamd_fail_open);
  CHECK_EQ(c.clamd_max_bytes, 100ULL << 20);
  CHECK_EQ(c.clamd_timeout.count(), 5000);
  CHECK_EQ(c.rescan_bytes_per_second, 0u);
  for (const char* address : {"clamd.example:3310", "127.0.0.1:3310", "[::1]:3310"}) {
    CHECK_EQ(CHECK_OK(read({{"CLAMD_SOCKET", address}})).clamd_socket, address);
  }
}

static void what_cannot_be_is_refused() {
  for (const std::string& address :
       {std::string("clamd"), std::string("clamd:"), std::string(":3310"), std::string("clamd:0"),
        std::string("clamd:65536"), std::string("clamd:x"), "/" + std::string(107, 'x')}) {
    check_refused({{"CLAMD_SOCKET", address}}, "CLAMD_SOCKET: ");
  }
  check_refused({{"CLAMD_MAX_SIZE", "4G"}}, "CLAMD_MAX_SIZE: ");
  check_refused({{"CLAMD_MAX_SIZE", "1K"}}, "CLAMD_MAX_SIZE: ");
  check_refused({{"CLAMD_FAIL", "yes"}}, "CLAMD_FAIL: ");
  check_refused({{"CLAMD_TIMEOUT", "0"}}, "CLAMD_TIMEOUT: ");
  check_refused({{"RESCAN_RATE", "100"}}, "RESCAN_RATE: ");
  check_refused({{"RESCAN_RATE", "fast"}}, "RESCAN_RATE: ");
}

static void metadata_is_removed_in_three_ways() {
  CHECK_EQ(CHECK_OK(read({})).strip_metadata, "gps");
  for (const char* word : {"gps", "all", "none"}) {
    CHECK_EQ(CHECK_OK(read({{"STRIP_METADATA", word}})).strip_metadata, word);
  }
  check_refused({{"STRIP_METADATA", "exif"}}, "STRIP_METADATA: ");
}

int main() {
  const CMUnitTest tests[] = {
      CASE(nothing_is_scanned_unless_asked_for_and_then_failure_is_closed),
      CASE(what_is_said_is_read),
      CASE(what_cannot_be_is_refused),
      CASE(metadata_is_removed_in_three_ways),
  };
  return RUN_TESTS("config_scan", tests);
}

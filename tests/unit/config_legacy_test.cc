// config_legacy_test.cc — the settings of old addresses: paths that may stand in nginx's configuration, and no others.
#include "base/config_legacy.h"

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

void off_unless_a_path_is_set_and_then_for_whom_the_application_lets_in() {
  const Config off = CHECK_OK(read({}));
  CHECK(off.legacy.path.empty() && off.legacy.root.empty() && off.legacy.access == "granted");
  const Config on =
      CHECK_OK(read({{"LEGACY_FALLBACK_PATH", "/uploads"}, {"LEGACY_FALLBACK_ROOT", "/srv/app/uploads//"}}));
  CHECK_EQ(on.legacy.path, "/uploads/");
  CHECK_EQ(on.legacy.root, "/srv/app/uploads");
}

void a_path_that_nginx_could_misread_or_that_is_ours_is_refused() {
  for (const char* path : {"uploads/", "/", "/up loads/", "/up;x/", "/up$x/", "/up{/", "/up\"/", "/../", "/a/../b/",
                           "/a//b/", "/.hidden/", "/api/", "/api/old/", "/_cloakroom/x/", "/up%20/", "/ü/"}) {
    const auto config = read({{"LEGACY_FALLBACK_PATH", path}});
    if (config) CHECK_EQ(std::string("refused"), path);
    CHECK(config.error().detail.find("LEGACY_FALLBACK_PATH") != std::string::npos);
  }
  CHECK_ERR(read({{"LEGACY_FALLBACK_PATH", "/app/"}, {"ROUTE_PREFIX", "/app/files"}}), Errc::kInvalid);
  CHECK_OK(read({{"LEGACY_FALLBACK_PATH", "/apis/"}}));
}

void a_folder_must_be_a_whole_path_and_of_use() {
  for (const char* root : {"uploads", "/", "/srv/../etc", "/srv/up loads", "/srv/;x"}) {
    CHECK_ERR(read({{"LEGACY_FALLBACK_PATH", "/up/"}, {"LEGACY_FALLBACK_ROOT", root}}), Errc::kInvalid);
  }
  CHECK_ERR(read({{"LEGACY_FALLBACK_ROOT", "/srv/uploads"}}), Errc::kInvalid);
  CHECK_ERR(read({{"LEGACY_FALLBACK_PATH", "/up/"}, {"LEGACY_FALLBACK_ACCESS", "everybody"}}), Errc::kInvalid);
}

void a_folder_that_holds_what_we_keep_is_refused() {
  const auto with = [](const char* root, const char* storage, const char* bodies = "/var/spool/bodies") {
    return read({{"LEGACY_FALLBACK_PATH", "/up/"},
                 {"LEGACY_FALLBACK_ROOT", root},
                 {"UPLOAD_STORAGE_PATH", storage},
                 {"BODY_TEMP_PATH", bodies}});
  };
  for (const char* storage : {"/srv/files", "/srv/files/", "/srv/files/ours", "/srv/./files", "/srv/x/../files/y"}) {
    CHECK_ERR(with("/srv/files", storage), Errc::kInvalid);
  }
  CHECK_ERR(with("/srv/old", "/srv/files", "/srv/old/bodies"), Errc::kInvalid);
  CHECK_ERR(with("/srv/bodies/old", "/srv/files", "/srv/bodies"), Errc::kInvalid);
  CHECK_OK(with("/srv/files", "/srv/files2"));
  CHECK_OK(with("/srv/files/old", "/srv/files"));  // to be adopted: LegacyFiles sees to the rest
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      CASE(off_unless_a_path_is_set_and_then_for_whom_the_application_lets_in),
      CASE(a_path_that_nginx_could_misread_or_that_is_ours_is_refused),
      CASE(a_folder_must_be_a_whole_path_and_of_use),
      CASE(a_folder_that_holds_what_we_keep_is_refused),
  };
  return RUN_TESTS("config_legacy", tests);
}

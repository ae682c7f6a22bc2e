// config_test.cc — settings: defaults, aliases, values from files, sizes, hostile values, and secrets that stay hidden.
#include "base/config.h"

#include <unistd.h>

#include <map>
#include <set>
#include <string>

#include "base/file.h"
#include "check.h"
#include "storage/s3_profile.h"

using namespace cloakroom;

namespace {

using Env = std::map<std::string, std::string, std::less<>>;

EnvLookup lookup(const Env& env) {
  return [&env](std::string_view name) -> std::optional<std::string> {
    const auto found = env.find(name);
    if (found == env.end()) return std::nullopt;
    return found->second;
  };
}

// The least that is accepted, with changes.
Env with(const Env& changes) {
  Env env{{"DATABASE_URL", "postgresql:///cloakroom"}, {"JWT_SECRET", "0123456789abcdef"}};
  for (const auto& [name, value] : changes) env[name] = value;
  return env;
}

Config read(const Env& changes) {
  const Env env = with(changes);
  return CHECK_OK(read_config(lookup(env)));
}

// All problems, "" when there are none.
std::string problems(const Env& env) {
  const auto config = read_config(lookup(env));
  if (config) return "";
  CHECK_EQ(config.error().code, Errc::kInvalid);
  return config.error().detail;
}

bool names(const std::string& all, std::string_view setting) {
  return ("\n" + all).find("\n" + std::string(setting) + ": ") != std::string::npos;
}

class ValueFile {
 public:
  explicit ValueFile(std::string_view text) {
    const UniqueFd fd(::mkstemp(path_.data()));
    CHECK_OK(write_all(fd.get(), std::as_bytes(std::span(text))));
  }
  ValueFile(const ValueFile&) = delete;
  ValueFile& operator=(const ValueFile&) = delete;
  ~ValueFile() { ::unlink(path_.c_str()); }
  const std::string& path() const { return path_; }

 private:
  std::string path_ = "/tmp/cloakroom-config-XXXXXX";
};

const Env kS3{{"STORAGE", "s3"},
              {"S3_BUCKET", "files"},
              {"S3_ACCESS_KEY_ID", "key-id-of-tests"},
              {"S3_SECRET_ACCESS_KEY", "secret-of-tests"}};

Env s3_with(const Env& changes) {
  Env env = kS3;
  for (const auto& [name, value] : changes) env[name] = value;
  return env;
}

}  // namespace

static void two_settings_are_enough_and_the_rest_has_defaults() {
  const Config c = read({});
  CHECK_EQ(c.instance, "default");
  CHECK_EQ(c.storage, "local");
  CHECK_EQ(c.body_temp_path, c.storage_path + "/.body");
  CHECK_EQ(c.max_upload_bytes, 10u << 20);
  CHECK_EQ(c.max_request_bytes, 41u << 20);
  CHECK_EQ(c.route_prefix, "/api");
  CHECK_EQ(c.auth, "jwt");
  CHECK_EQ(c.delivery, "proxy");
  CHECK(c.allowed_types.empty() && !c.s3 && c.nginx_health_routes);
}

static void every_default_in_the_table_is_accepted() {
  for (const Setting& s : all_settings()) {
    if (!s.default_value.empty()) CHECK_EQ(problems(with({{std::string(s.name), std::string(s.default_value)}})), "");
  }
}

static void no_name_or_alias_stands_twice_in_the_table() {
  std::set<std::string> seen;
  for (const Setting& s : all_settings()) {
    CHECK(!s.help.empty());
    std::istringstream all(std::string(s.name) + " " + std::string(s.aliases));
    for (std::string name; all >> name;) CHECK(seen.insert(name).second);
  }
}

static void all_problems_are_named_in_one_message() {
  const std::string all = problems({{"STORAGE", "tape"},
                                    {"MAX_UPLOAD_SIZE", "ten"},
                                    {"WORKERS", "0"},
                                    {"PRESIGN_EXPIRES", "604801"},
                                    {"SERVICE_TOKEN", "short"},
                                    {"INSTANCE", "a b"},
                                    {"KEY_PREFIX", "../up"},
                                    {"AUTH_REQUEST", "auth"}});
  for (const char* name : {"DATABASE_URL", "JWT_SECRET", "STORAGE", "MAX_UPLOAD_SIZE", "WORKERS", "PRESIGN_EXPIRES",
                           "SERVICE_TOKEN", "INSTANCE", "KEY_PREFIX", "AUTH_REQUEST"})
    CHECK(names(all, name));
  CHECK(!names(all, "DELIVERY"));
}

static void a_problem_never_shows_a_secret() {
  const std::string all = problems({{"JWT_SECRET", "tooshortsecret"}, {"SERVICE_TOKEN", "alsotooshort"}});
  CHECK(names(all, "JWT_SECRET") && names(all, "SERVICE_TOKEN"));
  CHECK_EQ(all.find("tooshort"), std::string::npos);
}

static void older_names_work_and_the_own_name_wins() {
  const Config c = read({{"STORAGE", "s3"},
                         {"AWS_BUCKET", "old-bucket"},
                         {"AWS_REGION", "eu-central-1"},
                         {"AWS_ACCESS_KEY_ID", "id"},
                         {"AWS_SECRET_ACCESS_KEY", "old"},
                         {"S3_SECRET_ACCESS_KEY", "own"},
                         {"AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9000/"}});
  CHECK_EQ(c.s3->bucket, "old-bucket");
  CHECK_EQ(c.s3->region, "eu-central-1");
  CHECK_EQ(c.s3->secret_access_key, "own");
  CHECK_EQ(c.s3->endpoint, "http://127.0.0.1:9000");
  CHECK_EQ(c.s3->public_endpoint, "http://127.0.0.1:9000");
}

static void the_endpoint_follows_from_provider_and_region() {
  CHECK_EQ(read(s3_with({{"S3_REGION", "eu-west-1"}})).s3->endpoint, "https://s3.eu-west-1.amazonaws.com");
  const Config r2 = read(s3_with({{"R2_ACCOUNT_ID", "abc"}}));
  CHECK_EQ(r2.s3->endpoint, "https://abc.r2.cloudflarestorage.com");
  CHECK_EQ(r2.s3->region, "");  // its profile knows
  CHECK_EQ(read(s3_with({{"R2_ACCOUNT_ID", "abc"}, {"S3_ENDPOINT", "https://abc.eu.r2.cloudflarestorage.com"}}))
               .s3->endpoint,
           "https://abc.eu.r2.cloudflarestorage.com");
  CHECK_EQ(read(s3_with({})).s3->endpoint, "https://s3.us-east-1.amazonaws.com");
  CHECK_EQ(read(s3_with({{"S3_REGION", "cn-north-1"}})).s3->endpoint, "https://s3.cn-north-1.amazonaws.com.cn");
}

static void the_provider_is_one_of_those_known() {
  CHECK_EQ(read(s3_with({})).s3->provider, "");
  for (const S3Profile& profile : all_s3_profiles()) {
    CHECK_EQ(read(s3_with({{"S3_PROVIDER", profile.name.data()}})).s3->provider, profile.name);
  }
  CHECK(names(problems(s3_with({{"S3_PROVIDER", "S3"}})), "S3_PROVIDER"));
}

static void origins_are_a_list_of_urls_without_a_path() {
  CHECK(read({}).cors_origins.empty());
  const auto origins = read({{"CORS_ORIGINS", "https://Chat.example.com/, http://127.0.0.1:8080"}}).cors_origins;
  CHECK_EQ(origins.size(), 2u);
  CHECK_EQ(origins[0], "https://chat.example.com");
  CHECK_EQ(origins[1], "http://127.0.0.1:8080");
  for (const char* bad : {"*", "chat.example.com", "https://chat.example.com/app", "https://a.example b.example"}) {
    CHECK(names(problems(with({{"CORS_ORIGINS", bad}})), "CORS_ORIGINS"));
    CHECK(names(problems(with({{"SITE_ORIGINS", bad}})), "SITE_ORIGINS"));
  }
  // browsers leave a scheme's own port out
  const auto site =
      read({{"SITE_ORIGINS", "https://a.example:443,http://a.example:80,http://a.example:443"}}).site_origins;
  CHECK_EQ(site.size(), 3u);
  CHECK_EQ(site[0], "https://a.example");
  CHECK_EQ(site[1], "http://a.example");
  CHECK_EQ(site[2], "http://a.example:443");
}

static void who_may_embed_files_follows_from_who_may_read_them() {
  CHECK_EQ(read({}).resource_policy, "same-site");
  CHECK_EQ(read({{"VISIBILITY", "public"}}).resource_policy, "cross-origin");
  CHECK_EQ(read({{"VISIBILITY", "public"}, {"RESOURCE_POLICY", "same-origin"}}).resource_policy, "same-origin");
  CHECK(names(problems(with({{"RESOURCE_POLICY", "*"}})), "RESOURCE_POLICY"));
}

static void a_bucket_keeps_s3_readable_with_local_storage() {
  Env env = s3_with({{"STORAGE", "local"}});
  CHECK(read(env).s3.has_value());
  env.erase("S3_BUCKET");
  CHECK(!read(env).s3.has_value());
}

static void local_files_with_copies_need_both_stores() {
  Env env = s3_with({{"STORAGE", "hybrid"}, {"DELIVERY", "redirect"}});
  const Config c = read(env);
  CHECK(c.storage == "hybrid" && c.s3->bucket == "files" && c.scrub_bytes_per_second == 20U << 20);
  CHECK(names(problems(with({{"STORAGE", "hybrid"}})), "S3_BUCKET"));
  CHECK(names(problems(with({{"DELIVERY", "redirect"}})), "DELIVERY"));
  env["S3_FALLBACK"] = "local";
  CHECK(names(problems(with(env)), "S3_FALLBACK"));
  CHECK(names(problems(with({{"SCRUB_RATE", "fast"}})), "SCRUB_RATE"));
}

static void a_file_for_s3_may_be_as_large_as_a_thousand_parts() {
  CHECK_EQ(read(s3_with({{"MAX_UPLOAD_SIZE", "5000G"}})).max_upload_bytes, 5000ULL << 30);
  CHECK(names(problems(s3_with({{"MAX_UPLOAD_SIZE", "5001G"}})), "MAX_UPLOAD_SIZE"));
}

static void a_fallback_needs_s3_and_a_node_that_can_be_part_of_a_key() {
  CHECK_EQ(read(s3_with({})).s3_fallback, "none");
  CHECK(!read({}).node_name.empty());  // the host's
  const Config c = read(s3_with({{"S3_FALLBACK", "local"}, {"NODE_NAME", "web-1.example_org"}}));
  CHECK(c.s3_fallback == "local" && c.node_name == "web-1.example_org");
  CHECK(names(problems(with({{"S3_FALLBACK", "local"}})), "S3_FALLBACK"));
  CHECK(names(problems(with(s3_with({{"S3_FALLBACK", "disk"}}))), "S3_FALLBACK"));
  for (const char* bad : {".", "..", ".web", "a/b", "a b", "a%", "a\n"})
    CHECK(names(problems(with({{"NODE_NAME", bad}})), "NODE_NAME"));
}

static void sizes_are_bytes_or_have_a_unit() {
  const auto size = [](const char* text) { return read({{"MAX_UPLOAD_SIZE", text}}).max_upload_bytes; };
  CHECK_EQ(size("1"), 1u);
  CHECK_EQ(size("10485760"), 10u << 20);
  CHECK_EQ(size("64k"), 64u << 10);
  CHECK_EQ(size("10M"), 10u << 20);
  CHECK_EQ(size("1G"), 1u << 30);
  CHECK_EQ(size("2T"), std::uint64_t{2} << 40);
  CHECK_EQ(read({{"MAX_UPLOAD_SIZE_MB", "25"}}).max_upload_bytes, 25u << 20);
  for (const char* text :
       {"0", "0M", "-1", "M", "1.5M", "10MB", "1 G", "99999999999T", "18446744073709551616", "1\xc3"})
    CHECK(names(problems(with({{"MAX_UPLOAD_SIZE", text}})), "MAX_UPLOAD_SIZE"));
  CHECK(names(problems(with({{"MAX_UPLOAD_SIZE_MB", "25M"}})), "MAX_UPLOAD_SIZE_MB"));
  CHECK(names(problems(with({{"MAX_REQUEST_SIZE", "9M"}})), "MAX_REQUEST_SIZE"));
}

static void direct_uploads_have_a_life_and_a_part_size_that_stores_take() {
  CHECK_EQ(read({}).direct_upload_expires.count(), 3600);
  CHECK_EQ(read({}).direct_part_bytes, 64u << 20);
  CHECK_EQ(read({{"DIRECT_UPLOAD_PART_SIZE", "5M"}}).direct_part_bytes, 5u << 20);
  for (const char* text : {"4M", "5368709121", "0", "x"})
    CHECK(names(problems(with({{"DIRECT_UPLOAD_PART_SIZE", text}})), "DIRECT_UPLOAD_PART_SIZE"));
  for (const char* text : {"59", "604801", "1h"})
    CHECK(names(problems(with({{"DIRECT_UPLOAD_EXPIRES", text}})), "DIRECT_UPLOAD_EXPIRES"));
}

static void a_value_can_come_from_a_file() {
  const ValueFile secret("secret-in-a-file!\n");
  CHECK_EQ(read({{"JWT_SECRET", ""}, {"JWT_SECRET_FILE", secret.path()}}).jwt_secret, "secret-in-a-file!");
  const ValueFile size("25\n");
  CHECK_EQ(read({{"MAX_UPLOAD_SIZE_MB_FILE", size.path()}}).max_upload_bytes, 25u << 20);
  // the variable itself comes first
  CHECK_EQ(read({{"JWT_SECRET_FILE", secret.path()}}).jwt_secret, "0123456789abcdef");
}

static void a_file_that_cannot_be_read_is_a_problem() {
  const Env env = with({{"SERVICE_TOKEN_FILE", "/nonexistent/token"}, {"WORKERS", "many"}});
  const std::string all = problems(env);
  CHECK(names(all, "SERVICE_TOKEN_FILE"));
  CHECK(all.find("/nonexistent/token") != std::string::npos);
  CHECK(names(all, "WORKERS"));
  CHECK(names(problems(with({{"SERVICE_TOKEN_FILE", "/tmp"}})), "SERVICE_TOKEN_FILE"));  // a folder
}

static void only_one_trailing_newline_of_a_file_is_dropped() {
  const ValueFile secret("0123456789abcdef\n\n");
  CHECK(names(problems(with({{"JWT_SECRET", ""}, {"JWT_SECRET_FILE", secret.path()}})), "JWT_SECRET"));
}

static void hostile_key_prefixes_are_refused() {
  CHECK_EQ(read({{"KEY_PREFIX", "a/b-1_c.d"}}).key_prefix, "a/b-1_c.d/");
  CHECK_EQ(read({{"KEY_PREFIX", "attachments/"}}).key_prefix, "attachments/");
  CHECK_EQ(read({}).key_prefix, "");
  const std::string too_long(201, 'x');
  for (const std::string& prefix :
       {std::string("/"), std::string("/abs"), std::string(".."), std::string("../up"), std::string("a/../b"),
        std::string("a/.."), std::string("a/./b"), std::string(".hidden"), std::string("a/.tmp"), std::string("a//b"),
        std::string("a b"), std::string("a\nb"), std::string("a\\b"), std::string("a%2e"), std::string("\xc3\xbc"),
        std::string("a;b"), std::string("$a"), std::string("a//"), too_long})
    CHECK(names(problems(with({{"KEY_PREFIX", prefix}})), "KEY_PREFIX"));
}

static void what_goes_into_nginx_cannot_break_out_of_it() {
  for (const char* path : {"relative", "/a b", "/a;b", "/a{b}", "/a$b", "/a\"b", "/a'b", "/a\nb", "/a/../b", "/a/.."}) {
    CHECK(names(problems(with({{"UPLOAD_STORAGE_PATH", path}})), "UPLOAD_STORAGE_PATH"));
    CHECK(names(problems(with({{"FASTCGI_SOCKET", path}})), "FASTCGI_SOCKET"));
    CHECK(names(problems(with({{"ROUTE_PREFIX", path}})), "ROUTE_PREFIX"));
    CHECK(names(problems(with(s3_with({{"S3_CA_FILE", path}}))), "S3_CA_FILE"));
  }
  CHECK_EQ(read(s3_with({{"AWS_CA_BUNDLE", "/etc/ssl/lan.pem"}})).s3->ca_file, "/etc/ssl/lan.pem");
  CHECK_EQ(read(s3_with({})).s3->ca_file, "");
  for (const char* name : {"", "a b", "a/b", "a;b", "\xc3\xbc"}) {
    if (*name != '\0') CHECK(names(problems(with({{"INSTANCE", name}})), "INSTANCE"));
  }
  for (const char* url : {"s3.example.com", "ftp://s3.example.com", "https://", "https://u:p@host", "https://host/path",
                          "https://host?x", "https://a b", "https://a;b"})
    CHECK(names(problems(with(s3_with({{"S3_ENDPOINT", url}}))), "S3_ENDPOINT"));
}

static void a_route_prefix_may_be_empty_and_loses_its_last_slash() {
  CHECK_EQ(read({{"ROUTE_PREFIX", "/"}}).route_prefix, "");
  CHECK_EQ(read({{"ROUTE_PREFIX", "/files/v1/"}}).route_prefix, "/files/v1");
}

// The router takes neither: it would stop the program without naming the setting.
static void a_route_prefix_the_router_cannot_take_is_a_problem() {
  for (const char* prefix : {"/a//b", "/1/2/3/4/5/6/7/8/9"})
    CHECK(names(problems(with({{"ROUTE_PREFIX", prefix}})), "ROUTE_PREFIX"));
}

static void types_are_written_as_types_patterns_or_endings() {
  const Config c = read({{"ALLOWED_TYPES", " image/*, .JPG,pdf , Text/Plain"}});
  const std::vector<std::string> wanted{"image/*", "image/jpeg", "application/pdf", "text/plain"};
  CHECK(c.allowed_types == wanted);
  CHECK(names(problems(with({{"ALLOWED_TYPES", "png,exe"}})), "ALLOWED_TYPES"));
}

static void identity_settings_must_fit_together() {
  CHECK(names(problems({{"DATABASE_URL", "x"}}), "JWT_SECRET"));
  CHECK(names(problems(with({{"JWT_PUBLIC_KEY", "pem"}})), "JWT_SECRET"));  // both
  CHECK_EQ(problems({{"DATABASE_URL", "x"}, {"JWT_PUBLIC_KEY", "a\npem"}}), "");
  CHECK_EQ(problems({{"DATABASE_URL", "x"}, {"AUTH", "none"}}), "");
  CHECK(names(problems(with({{"DELIVERY", "redirect"}})), "DELIVERY"));
  CHECK_EQ(problems(with(s3_with({{"DELIVERY", "redirect"}}))), "");
}

static void the_description_names_every_setting_and_no_secret() {
  const std::string marker = "verysecretmarker";
  Env env = with(s3_with({{"SERVICE_TOKEN", ""}}));
  for (const Setting& s : all_settings()) {
    if (s.secret && s.name != "SERVICE_TOKEN") env[std::string(s.name)] = marker;
  }
  env["JWT_PUBLIC_KEY"] = "-----BEGIN PUBLIC KEY-----\nverysecretmarker\n";
  const std::string text = describe_settings(lookup(env));
  CHECK_EQ(text.find(marker), std::string::npos);
  for (const Setting& s : all_settings())
    CHECK(("\n" + text).find("\n" + std::string(s.name) + "=") != std::string::npos);
  CHECK(text.find("S3_BUCKET=files  # S3_BUCKET\n") != std::string::npos);
  CHECK(text.find("WORKERS=4  # default\n") != std::string::npos);
  CHECK(text.find("JWT_SECRET=(set)") != std::string::npos);
  CHECK(text.find("SERVICE_TOKEN=(unset)") != std::string::npos);
}

static void the_page_of_settings_has_a_row_for_each() {
  const std::string page = settings_markdown();
  for (const Setting& s : all_settings()) CHECK(page.find("| `" + std::string(s.name) + "`") != std::string::npos);
}

static void public_files_have_headers_of_their_own() {
  const Config usual = read({});
  CHECK_EQ(usual.visibility, "private");
  CHECK_EQ(usual.cache_control, "private, max-age=86400, immutable");
  CHECK_EQ(usual.object_cache_control, "public, max-age=3600");
  const Config open = read({{"VISIBILITY", "public"}});
  CHECK_EQ(open.cache_control, "public, max-age=31536000, immutable");
  CHECK_EQ(open.object_cache_control, "public, max-age=31536000, immutable");
  CHECK_EQ(read({{"VISIBILITY", "public"}, {"CACHE_CONTROL", "public, max-age=5"}}).cache_control, "public, max-age=5");
  CHECK(names(problems(with({{"VISIBILITY", "secret"}})), "VISIBILITY"));
}

static void a_cdn_is_for_public_files_in_a_bucket() {
  const Env whole = s3_with({{"STORAGE", "s3"}, {"VISIBILITY", "public"}, {"CDN_URL", "https://cdn.example.com/"}});
  CHECK_EQ(read(whole).cdn_url, "https://cdn.example.com");
  const auto changed = [&](std::string_view name, std::string_view value) {
    Env env = with(whole);
    env[std::string(name)] = value;
    return problems(env);
  };
  CHECK_EQ(changed("CDN_URL", "https://cdn.example.com:8443/a/b"), "");
  for (const char* url : {"http://cdn.example.com", "cdn.example.com", "https://", "https:///x", "https://cdn?x=1",
                          "https://cdn/#x", "https://user@cdn", "https://cdn/a b", "https://cdn/../x", "https://cdn//x",
                          "https://.cdn", "https://cdn/%41", "https://c\"dn"})
    CHECK(names(changed("CDN_URL", url), "CDN_URL"));
  CHECK(names(changed("VISIBILITY", "private"), "CDN_URL"));
  CHECK(names(changed("STORAGE", "local"), "CDN_URL"));
  for (const char* name : {"CACHE_CONTROL", "OBJECT_CACHE_CONTROL"}) {
    CHECK(names(changed(name, "Private, max-age=1"), name));
    CHECK(names(changed(name, "no-store"), name));
  }
}

static void keys_may_come_from_other_places() {
  const Env bucket{{"STORAGE", "s3"}, {"S3_BUCKET", "files"}};
  const auto merged = [&](const Env& more) {
    Env env = bucket;
    env.insert(more.begin(), more.end());
    return env;
  };
  const S3CredentialConfig aws = read(merged({{"HOME", "/home/u"}, {"S3_REGION", "eu-west-3"}})).s3->credentials;
  CHECK_EQ(aws.shared_file, "/home/u/.aws/credentials");
  CHECK_EQ(aws.profile, "default");
  CHECK(!aws.shared_file_required);
  CHECK_EQ(aws.metadata_endpoint, "http://169.254.169.254");
  CHECK_EQ(aws.sts_endpoint, "https://sts.eu-west-3.amazonaws.com");
  const S3CredentialConfig china = read(merged({{"HOME", "/h"}, {"S3_REGION", "cn-north-1"}})).s3->credentials;
  CHECK_EQ(china.sts_endpoint, "https://sts.cn-north-1.amazonaws.com.cn");
  CHECK_EQ(china.metadata_endpoint, "http://169.254.169.254");
  CHECK_EQ(china.shared_file, "/h/.aws/credentials");
  const auto sts_of = [&](const char* endpoint) {
    return read(merged({{"HOME", "/h"}, {"S3_ENDPOINT", endpoint}})).s3->credentials.sts_endpoint;
  };
  CHECK_EQ(sts_of("https://s3.cn-northwest-1.amazonaws.com.cn:443"), "https://sts.cn-northwest-1.amazonaws.com.cn");
  CHECK_EQ(sts_of("https://s3.amazonaws.com"), "https://sts.us-east-1.amazonaws.com");
  CHECK_EQ(read(bucket).s3->credentials.shared_file, "");
  CHECK_EQ(read(merged({{"AWS_EC2_METADATA_DISABLED", "TRUE"}, {"HOME", "/h"}})).s3->credentials.metadata_endpoint, "");

  const Env own = merged({{"S3_ENDPOINT", "http://127.0.0.1:9000"}, {"HOME", "/home/u"}});
  CHECK(names(problems(own), "S3_ACCESS_KEY_ID"));  // neither ~ nor the machine is asked for keys of another store
  Env named = own;
  named["AWS_SHARED_CREDENTIALS_FILE"] = "/etc/keys";
  const S3CredentialConfig file = read(named).s3->credentials;
  CHECK_EQ(file.shared_file, "/etc/keys");
  CHECK(file.shared_file_required);
  CHECK_EQ(file.metadata_endpoint, "");
  Env role = own;
  role["AWS_WEB_IDENTITY_TOKEN_FILE"] = "/run/token";
  CHECK(names(problems(role), "AWS_ROLE_ARN"));
  role["AWS_ROLE_ARN"] = "arn:aws:iam::1:role/files";
  role["AWS_ENDPOINT_URL_STS"] = "http://127.0.0.1:9001";
  const S3CredentialConfig identity = read(role).s3->credentials;
  CHECK_EQ(identity.web_identity_token_file, "/run/token");
  CHECK_EQ(identity.sts_endpoint, "http://127.0.0.1:9001");
  CHECK_EQ(identity.role_session_name, "cloakroom");
  Env profile = own;
  profile.erase("HOME");
  profile["AWS_PROFILE"] = "batch";
  CHECK(names(problems(profile), "AWS_PROFILE"));

  CHECK(names(problems(merged({{"S3_ACCESS_KEY_ID", "id"}})), "S3_SECRET_ACCESS_KEY"));
  CHECK(names(problems(merged({{"S3_SECRET_ACCESS_KEY", "s"}})), "S3_ACCESS_KEY_ID"));
  CHECK_EQ(read(s3_with({{"HOME", "/home/u"}})).s3->credentials.shared_file, "");  // own keys: nobody else is asked
}

int main() {
  const CMUnitTest tests[] = {
      CASE(two_settings_are_enough_and_the_rest_has_defaults),
      CASE(every_default_in_the_table_is_accepted),
      CASE(no_name_or_alias_stands_twice_in_the_table),
      CASE(all_problems_are_named_in_one_message),
      CASE(a_problem_never_shows_a_secret),
      CASE(older_names_work_and_the_own_name_wins),
      CASE(the_endpoint_follows_from_provider_and_region),
      CASE(the_provider_is_one_of_those_known),
      CASE(origins_are_a_list_of_urls_without_a_path),
      CASE(who_may_embed_files_follows_from_who_may_read_them),
      CASE(a_bucket_keeps_s3_readable_with_local_storage),
      CASE(local_files_with_copies_need_both_stores),
      CASE(a_file_for_s3_may_be_as_large_as_a_thousand_parts),
      CASE(a_fallback_needs_s3_and_a_node_that_can_be_part_of_a_key),
      CASE(sizes_are_bytes_or_have_a_unit),
      CASE(direct_uploads_have_a_life_and_a_part_size_that_stores_take),
      CASE(a_value_can_come_from_a_file),
      CASE(a_file_that_cannot_be_read_is_a_problem),
      CASE(only_one_trailing_newline_of_a_file_is_dropped),
      CASE(hostile_key_prefixes_are_refused),
      CASE(what_goes_into_nginx_cannot_break_out_of_it),
      CASE(a_route_prefix_may_be_empty_and_loses_its_last_slash),
      CASE(a_route_prefix_the_router_cannot_take_is_a_problem),
      CASE(types_are_written_as_types_patterns_or_endings),
      CASE(identity_settings_must_fit_together),
      CASE(the_description_names_every_setting_and_no_secret),
      CASE(the_page_of_settings_has_a_row_for_each),
      CASE(public_files_have_headers_of_their_own),
      CASE(a_cdn_is_for_public_files_in_a_bucket),
      CASE(keys_may_come_from_other_places),
  };
  return RUN_TESTS("config", tests);
}

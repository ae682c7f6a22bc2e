// sign_command.cc — `cloakroom sign`: one presigned URL, or one signed link, made by hand.
#include <iostream>

#include "auth/link_token.h"
#include "base/encode.h"
#include "base/id.h"
#include "base/ip_address.h"
#include "base/json.h"
#include "cmd/commands.h"
#include "cmd/wiring.h"
#include "domain/filename.h"
#include "routes/attachment_json.h"

namespace cloakroom {
namespace {

struct Options {
  std::string id, filename, endpoint = "public";
  std::uint32_t expires_seconds = 0;  // 0: PRESIGN_EXPIRES
  bool download = false, json = false, link = false;
  std::string user_id, ip;  // to whom a link is bound
};

struct Made {
  std::string url, token;
  TimePoint expires;
};

void print(const Options& options, const Made& made) {
  if (!options.json) {
    std::cout << made.url << "\n";
    return;
  }
  Json out(json_object());
  json_object_set_new(out.get(), "id", json_text(options.id).release());
  json_object_set_new(out.get(), "method", json_string("GET"));
  json_object_set_new(out.get(), "url", json_text(made.url).release());
  if (options.link) json_object_set_new(out.get(), "token", json_text(made.token).release());
  json_object_set_new(out.get(), "expires_at", json_text(iso8601_ms(made.expires)).release());
  std::cout << dump_json(out) << "\n";
}

int usage(const std::string& what) {
  std::cerr << "cloakroom: " << what << "\n";
  return kExitUsage;
}

// Temporary credentials may have made it shorter than wished.
std::chrono::seconds life_of(std::string_view url) {
  constexpr std::string_view kName = "X-Amz-Expires=";
  const std::size_t at = url.find(kName);
  if (at == std::string_view::npos) return {};
  const std::string_view rest = url.substr(at + kName.size());
  const auto seconds = parse_u64(rest.substr(0, rest.find('&')));
  return std::chrono::seconds(seconds ? *seconds : 0);
}

std::string stable_path(const Config& config, const Attachment& a) {
  return config.route_prefix + "/files/" + to_string(a.id) + "/" + percent_encode(a.filename);
}

int sign_link(const Options& options, const Config& config, const Attachment& a) {
  if (config.link_secret.empty() || config.visibility == "public") {
    std::cerr << "cloakroom: there are no links: LINK_SECRET is not set, or VISIBILITY is public\n";
    return kExitConfig;
  }
  const auto life = options.expires_seconds == 0 ? config.link_expires : std::chrono::seconds(options.expires_seconds);
  if (life > config.link_max_expires) return usage("--expires is longer than LINK_MAX_EXPIRES");
  LinkClaims claims{.id = a.id, .expires = TimePoint(unix_seconds(system_now() + life)), .user_id = options.user_id};
  if (!claims.user_id.empty() && config.auth != "jwt") return usage("--user needs AUTH=jwt");
  if (!claims.user_id.empty() && !is_foreign_id(claims.user_id)) return usage("--user is not a usable id");
  if (!options.ip.empty()) {
    auto ip = canonical_ip(options.ip);
    if (!ip) return usage("'" + options.ip + "' is not an IP address");
    claims.ip = *std::move(ip);
  }
  const std::string token = LinkTokens({config.link_secret}).sign(claims);
  const std::string url = stable_path(config, a) + "?link=" + token + (options.download ? "&download=1" : "");
  print(options, {url, token, claims.expires});
  return kExitDone;
}

int sign(const Options& options) {
  const auto id = parse_uuid(options.id);
  if (!id) {
    std::cerr << "cloakroom: '" << options.id << "' is not an attachment id\n";
    return kExitUsage;
  }
  constexpr std::uint32_t kLongestPresign = 604800;
  if (!options.link && options.expires_seconds > kLongestPresign)
    return usage("--expires: a presigned URL lives 604800 seconds at most");
  const auto config = settings_or_complain();
  if (!config) return kExitConfig;
  Database database(database_options(*config, "cloakroom"));
  PgRows rows(database);
  const auto found = rows.find(*id, std::nullopt);
  if (!found) return complain(found.error());
  if (!found->has_value()) {
    std::cerr << "cloakroom: no attachment " << options.id << "\n";
    return kExitProblems;
  }
  const Attachment& a = (*found)->attachment;
  if (a.status == AttachmentStatus::kQuarantined) {
    std::cerr << "cloakroom: the file is in quarantine\n";
    return kExitProblems;
  }
  if (options.link) return sign_link(options, *config, a);
  if (a.external_url) {
    std::cerr
        << "cloakroom: the file lives elsewhere, and nothing here signs for it; whoever may read it is sent on by\n"
        << stable_path(*config, a) << "\n--link makes a signed link to that\n";
    return kExitProblems;
  }
  if (a.store == StoreKind::kLocal) {
    std::cerr << "cloakroom: the file lies on local disk, which has no presigned URLs; whoever may read it gets it at\n"
              << stable_path(*config, a) << "\n--link makes a signed link to it\n";
    return kExitProblems;
  }
  const SystemClock clock;
  const auto stores = make_stores(*config, clock);
  if (!stores) return complain(stores.error());
  Presigner* const presigner = stores->all().presigner(a.store);
  if (presigner == nullptr) {
    std::cerr << "cloakroom: the file lies in the store '" << to_string(a.store) << "', but "
              << (a.store == StoreKind::kS3 ? "S3_BUCKET" : "S3_SECONDARY_BUCKET") << " is not set\n";
    return kExitConfig;
  }
  const auto key = ObjectKey::parse(a.key);
  if (!key) return complain({Errc::kInternal, "the row's key is refused: " + key.error().detail});
  Attachment named = a;
  if (!options.filename.empty()) named.filename = clean_filename(options.filename);
  const FileHeaders headers = file_headers(named, options.download);
  const auto wanted =
      options.expires_seconds == 0 ? config->presign_expires : std::chrono::seconds(options.expires_seconds);
  const auto url = presigner->presign(*key, {.expires = wanted,
                                             .content_disposition = headers.disposition,
                                             .content_type = headers.content_type,
                                             .for_browser = options.endpoint == "public"});
  if (!url) return complain(url.error());
  print(options, {*url, {}, system_now() + life_of(*url)});
  return kExitDone;
}

}  // namespace

void add_sign(CommandLine& line) {
  const auto options = std::make_shared<Options>();
  const OptionSet command =
      line.command("sign", "print a presigned URL of a file in S3, or a signed link; who has it can read the file",
                   [options] { return sign(*options); });
  command.value("id", options->id, "id of the attachment").required();
  command.value("--expires", options->expires_seconds, "life in seconds; default: PRESIGN_EXPIRES or LINK_EXPIRES")
      .between(1, 31536000);
  command.flag("--download", options->download, "saved by the browser, never shown");
  const Option name = command.value("--filename", options->filename, "name to save it under instead of its own");
  const Option endpoint =
      command.value("--endpoint", options->endpoint, "of the store: S3_PUBLIC_ENDPOINT or S3_ENDPOINT")
          .among({"public", "internal"})
          .shows_default();
  const Option link = command.flag("--link", options->link, "a signed link, good for any store, instead");
  link.excludes(name).excludes(endpoint);
  command.value("--user", options->user_id, "with --link: for this user alone").needs(link);
  command.value("--ip", options->ip, "with --link: from this address alone").needs(link);
  command.flag("--json", options->json, "id, method, url, expires_at (and token) as JSON");
}

}  // namespace cloakroom

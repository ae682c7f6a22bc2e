// sign_command.cc — `cloakroom sign`: one presigned URL, made by hand.
#include <iostream>

#include "base/encode.h"
#include "base/id.h"
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
  bool download = false, json = false;
};

void print(const Options& options, const std::string& url, std::chrono::seconds expires) {
  if (!options.json) {
    std::cout << url << "\n";
    return;
  }
  Json out(json_object());
  json_object_set_new(out.get(), "id", json_text(options.id).release());
  json_object_set_new(out.get(), "method", json_string("GET"));
  json_object_set_new(out.get(), "url", json_text(url).release());
  json_object_set_new(out.get(), "expires_at", json_text(iso8601_ms(system_now() + expires)).release());
  std::cout << dump_json(out) << "\n";
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

int sign(const Options& options) {
  const auto id = parse_uuid(options.id);
  if (!id) {
    std::cerr << "cloakroom: '" << options.id << "' is not an attachment id\n";
    return kExitUsage;
  }
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
  if (a.store != StoreKind::kS3) {
    std::cerr << "cloakroom: the file lies on local disk, which has no presigned URLs; whoever may read it gets it at\n"
              << config->route_prefix << "/files/" << options.id << "/" << percent_encode(a.filename) << "\n";
    return kExitProblems;
  }
  const SystemClock clock;
  const auto stores = make_stores(*config, clock);
  if (!stores) return complain(stores.error());
  if (stores->s3 == nullptr) {
    std::cerr << "cloakroom: the file lies in S3, but S3_BUCKET is not set\n";
    return kExitConfig;
  }
  const auto key = ObjectKey::parse(a.key);
  if (!key) return complain({Errc::kInternal, "the row's key is refused: " + key.error().detail});
  Attachment named = a;
  if (!options.filename.empty()) named.filename = clean_filename(options.filename);
  const FileHeaders headers = file_headers(named, options.download);
  const auto wanted =
      options.expires_seconds == 0 ? config->presign_expires : std::chrono::seconds(options.expires_seconds);
  const auto url = stores->s3->presign(*key, {.expires = wanted,
                                              .content_disposition = headers.disposition,
                                              .content_type = headers.content_type,
                                              .for_browser = options.endpoint == "public"});
  if (!url) return complain(url.error());
  print(options, *url, life_of(*url));
  return kExitDone;
}

}  // namespace

void add_sign(CLI::App& cli, Command& chosen) {
  const auto options = std::make_shared<Options>();
  CLI::App* command =
      cli.add_subcommand("sign", "print a presigned URL of a file in S3; whoever has it can read the file");
  command->add_option("id", options->id, "id of the attachment")->required();
  command->add_option("--expires", options->expires_seconds, "life in seconds; default: PRESIGN_EXPIRES")
      ->check(CLI::Range(1, 604800));
  command->add_flag("--download", options->download, "saved by the browser, never shown");
  command->add_option("--filename", options->filename, "name to save it under instead of its own");
  command->add_option("--endpoint", options->endpoint, "S3_PUBLIC_ENDPOINT or S3_ENDPOINT")
      ->check(CLI::IsMember({"public", "internal"}))
      ->capture_default_str();
  command->add_flag("--json", options->json, "id, method, url and expires_at as JSON");
  command->callback([options, &chosen] { chosen = [options] { return sign(*options); }; });
}

}  // namespace cloakroom
